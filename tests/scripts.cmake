# Checks that are not doctest programs. Each is one ctest case named script.<name>, which tests/summary.py counts once.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
cmake_host_system_information(RESULT cores QUERY NUMBER_OF_LOGICAL_CORES)

add_test(NAME script.layers COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/check_layers.py)
add_test(NAME script.docs COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/check_docs.py)
add_test(NAME script.ops_page COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/ops_page.py)
add_test(NAME script.headers COMMAND ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target headers -- -k 0)
add_test(NAME script.compile_fail COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/compile_fail/run.sh
  ${CMAKE_CXX_COMPILER} ${PROJECT_BINARY_DIR}/headers.flags)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_SYSTEM_PROCESSOR STREQUAL x86_64)
  add_test(NAME script.vectorised COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/check_vectorised.py
    ${CMAKE_CXX_COMPILER} ${PROJECT_BINARY_DIR}/headers.flags
    ${PROJECT_SOURCE_DIR}/src/backend_cpu.cpp ${PROJECT_SOURCE_DIR}/src/op_instances.cpp
    ${PROJECT_SOURCE_DIR}/src/cluster.cpp ${PROJECT_SOURCE_DIR}/src/eval_instances.cpp)
endif()
add_test(NAME script.package COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/package/run.sh
  ${PROJECT_BINARY_DIR} ${CMAKE_CURRENT_BINARY_DIR}/package ${CMAKE_CXX_COMPILER})
# 77 means that there is no Meson.
add_test(NAME script.meson COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/meson/run.sh
  ${PROJECT_BINARY_DIR} ${CMAKE_CURRENT_BINARY_DIR}/meson ${CMAKE_CXX_COMPILER} $<TARGET_FILE:Python3::Interpreter>)
set_tests_properties(script.meson PROPERTIES SKIP_RETURN_CODE 77)
# Needs PEFT and Transformers, which only tests/interop/setup.sh installs: 77 means that it has not run.
if(MOR1E_BUILD_PROGRAMS)
  add_test(NAME script.peft_round_trip COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/interop/run.sh ${PROJECT_BINARY_DIR})
  set_tests_properties(script.peft_round_trip PROPERTIES SKIP_RETURN_CODE 77)
endif()

# What docs/tensors.md quotes is compiled and run.
if(TARGET tour_tensors)
  add_test(NAME script.tensors_document COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/check_tour.py
    ${PROJECT_SOURCE_DIR}/docs/tensors.md $<TARGET_FILE:tour_tensors> ${PROJECT_SOURCE_DIR}/examples/tour/tensors.cpp
    ${CMAKE_CURRENT_SOURCE_DIR}/interop/dlpack.cpp ${CMAKE_CURRENT_SOURCE_DIR}/interop/xtensor.cpp)
  add_test(NAME script.training_document COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/check_tour.py
    ${PROJECT_SOURCE_DIR}/docs/training.md $<TARGET_FILE:tour_linear_regression>
    ${PROJECT_SOURCE_DIR}/examples/tour/linear_regression.cpp ${PROJECT_SOURCE_DIR}/examples/tour/two_moons.cpp
    ${PROJECT_SOURCE_DIR}/examples/tour/characters.cpp ${PROJECT_SOURCE_DIR}/examples/tour/full_fine_tuning.cpp)
endif()

# Needs NumPy: 77 means that no Python has it.
add_executable(npy_copy interop/numpy/npy_copy.cpp)
target_link_libraries(npy_copy PRIVATE mor1e::compiled mor1e_own)
set_target_properties(npy_copy PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
if(dlpack_FOUND)
  add_library(dlpack_arrays MODULE interop/numpy/dlpack_arrays.cpp)
  target_link_libraries(dlpack_arrays PRIVATE mor1e::mor1e mor1e_own dlpack::dlpack)
  set_target_properties(dlpack_arrays PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
endif()
add_test(NAME script.numpy_round_trip
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/interop/numpy/run.sh ${PROJECT_BINARY_DIR} $<TARGET_FILE:Python3::Interpreter>)
set_tests_properties(script.numpy_round_trip PROPERTIES SKIP_RETURN_CODE 77)

# Each uses all cores; together, they would only wait for each other.
set_tests_properties(script.headers script.package script.meson PROPERTIES PROCESSORS ${cores})

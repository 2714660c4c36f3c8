# The CUDA back end: the library mor1e::cuda (its kernels, for programs that are not compiled by nvcc), and cudasim, which
# runs the tests of it on machines without a device. Sets MOR1E_CUDA_FOUND.
set(default AUTO)
if(NOT PROJECT_IS_TOP_LEVEL)
  set(default OFF)
endif()
set(MOR1E_CUDA ${default} CACHE STRING "The CUDA back end: ON (built with the rest), AUTO (by name, where nvcc is found), OFF")
set_property(CACHE MOR1E_CUDA PROPERTY STRINGS AUTO ON OFF)
set(MOR1E_CUDA_ARCHITECTURES 80 90 CACHE STRING "Compute capabilities that mor1e::cuda holds code for")
set(MOR1E_CUDA_FOUND OFF)
if(NOT MOR1E_CUDA)
  message(STATUS "CUDA: left out (MOR1E_CUDA=OFF)")
  return()
endif()
include(CheckLanguage)
if(NOT CMAKE_CUDA_COMPILER)
  find_program(nvcc nvcc HINTS ENV CUDACXX ENV CUDA_PATH /usr/local/cuda PATH_SUFFIXES bin)
  mark_as_advanced(nvcc)
  if(nvcc AND NOT DEFINED ENV{CUDACXX})
    set(ENV{CUDACXX} ${nvcc})
  endif()
  set(CMAKE_CUDA_ARCHITECTURES ${MOR1E_CUDA_ARCHITECTURES})
  check_language(CUDA)
endif()
if(NOT CMAKE_CUDA_COMPILER)
  if(MOR1E_CUDA STREQUAL "AUTO")
    message(STATUS "CUDA: left out, as no working nvcc was found (MOR1E_CUDA=AUTO)")
    return()
  endif()
  message(FATAL_ERROR "CUDA: MOR1E_CUDA=${MOR1E_CUDA}, and no working nvcc was found")
endif()
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
set(MOR1E_CUDA_FOUND ON)
message(STATUS "CUDA: nvcc ${CMAKE_CUDA_COMPILER_VERSION}, for ${MOR1E_CUDA_ARCHITECTURES}")

# Headers of the back end in programs of any compiler; the libraries that they call.
add_library(mor1e_cuda_headers INTERFACE)
add_library(mor1e::cuda_headers ALIAS mor1e_cuda_headers)
set_target_properties(mor1e_cuda_headers PROPERTIES EXPORT_NAME cuda_headers)
target_link_libraries(mor1e_cuda_headers INTERFACE mor1e_core CUDA::cudart_static CUDA::cublas)
# As an option: what CMake makes of CUDA_STANDARD 20 depends on its age.
target_compile_options(mor1e_cuda_headers INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>)

file(GLOB cuda_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.cu)
add_library(mor1e_cuda STATIC ${cuda_sources})
# It takes minutes: unless it was asked for, only what links it builds it, and the tests.
if(MOR1E_CUDA STREQUAL "AUTO")
  set_target_properties(mor1e_cuda PROPERTIES EXCLUDE_FROM_ALL ON)
endif()
add_library(mor1e::cuda ALIAS mor1e_cuda)
set_target_properties(mor1e_cuda PROPERTIES EXPORT_NAME cuda CUDA_ARCHITECTURES "${MOR1E_CUDA_ARCHITECTURES}"
  POSITION_INDEPENDENT_CODE ON)
target_link_libraries(mor1e_cuda PUBLIC mor1e_cuda_headers)
# A spill, like a warning, is an error of ours.
target_compile_options(mor1e_cuda PRIVATE
  "$<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${MOR1E_WERROR}>>:-Werror=all-warnings;-Xptxas=--warn-on-spills,-Werror>")
target_compile_definitions(mor1e_cuda PRIVATE MOR1E_COMPILED)
# What the assembler says of each kernel is kept for tools/cuda/resources.py.
find_package(Python3 QUIET COMPONENTS Interpreter)
if(Python3_FOUND)
  set_target_properties(mor1e_cuda PROPERTIES
    CUDA_COMPILER_LAUNCHER "${Python3_EXECUTABLE};${PROJECT_SOURCE_DIR}/tools/cuda/ptxas_log.py")
endif()

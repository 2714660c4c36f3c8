# Install rules and the package files that `find_package(mor1e)` reads.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(mor1e_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mor1e)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/mor1e DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  PATTERN "kernels" EXCLUDE)  # a link to the folder beside include/
install(DIRECTORY ${PROJECT_SOURCE_DIR}/kernels DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mor1e
  FILES_MATCHING PATTERN "*.cuh")
install(TARGETS mor1e_core EXPORT mor1e_core INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT mor1e_core FILE mor1e_core.cmake NAMESPACE mor1e:: DESTINATION ${mor1e_package_dir})
install(TARGETS mor1e EXPORT mor1e_headers INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT mor1e_headers FILE mor1e_headers.cmake NAMESPACE mor1e:: DESTINATION ${mor1e_package_dir})
if(TARGET mor1e_onednn)
  install(TARGETS mor1e_onednn EXPORT mor1e_onednn)
  install(EXPORT mor1e_onednn FILE mor1e_onednn.cmake NAMESPACE mor1e:: DESTINATION ${mor1e_package_dir})
  set(onednn_libs " -ldnnl -lgomp")
endif()
# Exported apart: its absence is how the package file knows that only the headers were built.
if(TARGET mor1e_compiled)
  install(TARGETS mor1e_compiled EXPORT mor1e_compiled ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT mor1e_compiled FILE mor1e_compiled.cmake NAMESPACE mor1e:: DESTINATION ${mor1e_package_dir})
endif()
if(MOR1E_CUDA_FOUND)
  # What is built only by name is installed only by name: cmake --install build --component mor1e_cuda
  set(by_name "")
  if(MOR1E_CUDA STREQUAL "AUTO")
    set(by_name COMPONENT mor1e_cuda EXCLUDE_FROM_ALL)
  endif()
  install(TARGETS mor1e_cuda_headers mor1e_cuda EXPORT mor1e_cuda ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} ${by_name})
  install(EXPORT mor1e_cuda FILE mor1e_cuda.cmake NAMESPACE mor1e:: DESTINATION ${mor1e_package_dir} ${by_name})
endif()

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/mor1eConfig.cmake.in
  ${PROJECT_BINARY_DIR}/cmake/mor1eConfig.cmake INSTALL_DESTINATION ${mor1e_package_dir} NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/mor1eConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cmake/mor1eConfig.cmake ${PROJECT_BINARY_DIR}/cmake/mor1eConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindoneDNN.cmake DESTINATION ${mor1e_package_dir})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# What pkg-config reads; pkgconfig/meson.build writes the same.
set(packages mor1e-core mor1e)
if(TARGET mor1e_compiled)
  list(APPEND packages mor1e-compiled)
endif()
if(MOR1E_CUDA_FOUND AND NOT MOR1E_CUDA STREQUAL "AUTO")
  list(APPEND packages mor1e-cuda)
  get_filename_component(cuda ${CUDAToolkit_BIN_DIR} DIRECTORY)
endif()
file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" up ${up})
foreach(package ${packages})
  configure_file(${PROJECT_SOURCE_DIR}/pkgconfig/${package}.pc.in ${PROJECT_BINARY_DIR}/pkgconfig/${package}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/pkgconfig/${package}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()

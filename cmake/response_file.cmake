# mor1e_response_file(<target> <file>): writes the include folders, definitions and options <target> is compiled with
# as a response file, so that a script can call the compiler as `c++ @<file> ...` and see what the build sees.
function(mor1e_response_file target file)
  # Warnings are for our own folders, as in the build.
  set(folders "$<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>")
  set(ours "$<FILTER:${folders},INCLUDE,^${PROJECT_SOURCE_DIR}>")
  set(others "$<FILTER:${folders},EXCLUDE,^${PROJECT_SOURCE_DIR}|^/usr/include$>")
  set(text "-std=gnu++20\n$<$<BOOL:${ours}>:-I$<JOIN:${ours},\n-I>\n>")
  string(APPEND text "$<$<BOOL:${others}>:-isystem$<JOIN:${others},\n-isystem>\n>")
  foreach(property IN ITEMS COMPILE_DEFINITIONS:-D COMPILE_OPTIONS:)
    string(REGEX MATCH "^([A-Z_]+):(.*)$" unused ${property})
    set(list "$<TARGET_PROPERTY:${target},${CMAKE_MATCH_1}>")
    string(APPEND text "$<$<BOOL:${list}>:${CMAKE_MATCH_2}$<JOIN:${list},\n${CMAKE_MATCH_2}>\n>")
  endforeach()
  # Once, as C++: options may differ for CUDA.
  file(GENERATE OUTPUT ${file} CONTENT "${text}" CONDITION $<COMPILE_LANGUAGE:CXX>)
endfunction()

# mor1e_response_file(<target> <file>): writes the include folders, definitions and options <target> is compiled with
# as a response file, so that a script can call the compiler as `c++ @<file> ...` and see what the build sees.
function(mor1e_response_file target file)
  set(text "-std=gnu++20\n")
  foreach(property IN ITEMS INCLUDE_DIRECTORIES:-I COMPILE_DEFINITIONS:-D COMPILE_OPTIONS:)
    string(REGEX MATCH "^([A-Z_]+):(.*)$" unused ${property})
    set(list "$<TARGET_PROPERTY:${target},${CMAKE_MATCH_1}>")
    string(APPEND text "$<$<BOOL:${list}>:${CMAKE_MATCH_2}$<JOIN:${list},\n${CMAKE_MATCH_2}>\n>")
  endforeach()
  file(GENERATE OUTPUT ${file} CONTENT "${text}")
endfunction()

// Carries the flags that bench/compile_time/CMakeLists.txt writes down; never compiled.

# Flags for all of our targets; third-party headers are system headers and exempt from warnings.
add_library(edgelog_flags INTERFACE)
target_include_directories(edgelog_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(edgelog_flags INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast
  -Woverloaded-virtual -Wno-missing-field-initializers -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC reports these inside the standard library's own templates once sanitizers or LTO move code about.
  target_compile_options(edgelog_flags INTERFACE -Wno-maybe-uninitialized -Wno-stringop-overflow
    -Wno-array-bounds -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++'s own algorithms use what it has deprecated (std::get_temporary_buffer in stable_sort).
  # In GCC's C++ -Wconversion does not include the signs.
  target_compile_options(edgelog_flags INTERFACE -Wno-deprecated-declarations -Wno-sign-conversion)
endif()
if(EDGELOG_SANITIZE)
  # Of a target with EDGELOG_NO_TSAN nothing is looked at by ThreadSanitizer: it does not know the threads of C11's
  # thrd_create, with which librdkafka begins its own, and a program of two kinds of threads crashes.
  set(wanted 1)
  if(EDGELOG_SANITIZE STREQUAL "thread")
    set(wanted "$<NOT:$<BOOL:$<TARGET_PROPERTY:EDGELOG_NO_TSAN>>>")
  endif()
  target_compile_options(edgelog_flags INTERFACE "$<${wanted}:-fsanitize=${EDGELOG_SANITIZE};-fno-sanitize-recover=all>")
  target_link_options(edgelog_flags INTERFACE "$<${wanted}:-fsanitize=${EDGELOG_SANITIZE}>")
  if(EDGELOG_SANITIZE STREQUAL "thread")
    # ThreadSanitizer does not know fences; Asio's are beside the mutexes that order everything here.
    target_compile_definitions(edgelog_flags INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
endif()

# Tests themselves are not optimised where what they test is sanitized: they compile in half the time.
add_library(edgelog_test_flags INTERFACE)
target_compile_options(edgelog_test_flags INTERFACE $<$<CONFIG:Debug>:-O0>)

find_program(EDGELOG_MOLD mold)
if(EDGELOG_MOLD AND NOT CMAKE_INTERPROCEDURAL_OPTIMIZATION)
  target_link_options(edgelog_flags INTERFACE -fuse-ld=mold)
endif()
find_program(EDGELOG_CCACHE ccache)
if(EDGELOG_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${EDGELOG_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${EDGELOG_CCACHE})
endif()

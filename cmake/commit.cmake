# cmake -DROOT=DIR -DOUT=FILE -P commit.cmake: writes a source that tells the commit, and whether the tree differs from
# it. Run at each build, since a configuration outlives many commits; the file is touched only where it changes.
execute_process(COMMAND git -C ${ROOT} describe --always --dirty=+changes --exclude=* OUTPUT_VARIABLE commit
  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT commit)
  set(commit unknown)
endif()
set(text "namespace edgelog::sim {\nextern const char commit[];\nconst char commit[] = \"${commit}\";\n}\n")
set(before "")
if(EXISTS ${OUT})
  file(READ ${OUT} before)
endif()
if(NOT text STREQUAL before)
  file(WRITE ${OUT} "${text}")
endif()

# Precompiled headers: a build from nothing takes about a sixth less. ccache does more for all builds after the first,
# and cannot work beside them, so they are used where there is no ccache (continuous integration).
if(CCACHE)
  option(REPRISE_PRECOMPILE "Precompile the headers of libraries" OFF)
else()
  option(REPRISE_PRECOMPILE "Precompile the headers of libraries" ON)
endif()
if(NOT REPRISE_PRECOMPILE)
  return()
endif()

set(headers <algorithm> <array> <bit> <chrono> <cstring> <functional> <map> <memory> <optional> <span> <string>
    <string_view> <vector> <fmt/format.h>)

# The targets of `folder` and of the folders in it.
function(targets_below folder result)
  get_property(found DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  get_property(below DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(each IN LISTS below)
    targets_below(${each} more)
    list(APPEND found ${more})
  endforeach()
  set(${result} ${found} PARENT_SCOPE)
endfunction()

# Compiled without vector registers: not what was precompiled.
if(TARGET reprise_jit)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/jit/resolve_jump.cpp TARGET_DIRECTORY reprise_jit
    PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
endif()

targets_below(${CMAKE_SOURCE_DIR} all)
foreach(target IN LISTS all)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "UTILITY")
    continue()
  endif()
  get_target_property(sources ${target} SOURCES)
  get_target_property(libraries ${target} LINK_LIBRARIES)
  list(LENGTH sources count)
  if(count LESS 10)  # it would cost more than it saves
    continue()
  elseif("GTest::gtest_main" IN_LIST libraries)
    target_precompile_headers(${target} PRIVATE <gtest/gtest.h> ${headers})
  elseif(type STREQUAL "STATIC_LIBRARY")
    target_precompile_headers(${target} PRIVATE ${headers})
  endif()
endforeach()

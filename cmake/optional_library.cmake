# optional_library(TARGET HEADER LIBRARY PACKAGE SOURCE ABSENT WITHOUT): TARGET gets SOURCE where HEADER and LIBRARY are there,
# which only those files see. Else it gets ABSENT, which refuses what needs them, and configuring says that there will be no
# WITHOUT, and which PACKAGE of Debian has it. SOURCE and ABSENT are lists.
function(optional_library TARGET HEADER LIBRARY PACKAGE SOURCE ABSENT WITHOUT)
  find_path(${LIBRARY}_INCLUDE ${HEADER})
  find_library(${LIBRARY}_LIBRARY ${LIBRARY})
  if(${LIBRARY}_INCLUDE AND ${LIBRARY}_LIBRARY)
    target_sources(${TARGET} PRIVATE ${SOURCE})
    target_include_directories(${TARGET} SYSTEM PRIVATE ${${LIBRARY}_INCLUDE})
    target_link_libraries(${TARGET} PRIVATE ${${LIBRARY}_LIBRARY})
  else()
    message(STATUS "lib${LIBRARY} is missing (Debian: ${PACKAGE}): no ${WITHOUT}")
    target_sources(${TARGET} PRIVATE ${ABSENT})
  endif()
endfunction()

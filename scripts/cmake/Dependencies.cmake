# Finding what the project stands on, and saying what to install where it is not there.

# mg_find(<variable> <name> <header> <library or "">)
#
# The imported target mg::<name>, for a library or a header alone; sets the variable to whether it is
# there. pkg-config says where to look; without it the usual places are searched.
function(mg_find found name header library)
  find_package(PkgConfig QUIET)
  if(PKG_CONFIG_FOUND)
    pkg_check_modules(PC_${name} QUIET ${name})
  endif()
  set(${found} OFF PARENT_SCOPE)
  set(needed MG_${name}_INCLUDE_DIR)
  find_path(MG_${name}_INCLUDE_DIR ${header} HINTS ${PC_${name}_INCLUDE_DIRS})
  if(library)
    list(APPEND needed MG_${name}_LIBRARY)
    find_library(MG_${name}_LIBRARY ${library} HINTS ${PC_${name}_LIBRARY_DIRS})
  endif()
  mark_as_advanced(${needed})
  foreach(variable IN LISTS needed)
    if(NOT ${variable})
      return()
    endif()
  endforeach()
  add_library(mg::${name} INTERFACE IMPORTED GLOBAL)
  target_include_directories(mg::${name} INTERFACE ${MG_${name}_INCLUDE_DIR})
  target_link_libraries(mg::${name} INTERFACE ${MG_${name}_LIBRARY})
  set(${found} ON PARENT_SCOPE)
endfunction()

# mg_require(<name> <header> <library or ""> <Debian package> [<what to do instead>])
#
# mg_find, for what the build cannot do without.
function(mg_require name header library package)
  mg_find(found ${name} ${header} "${library}")
  if(NOT found)
    message(FATAL_ERROR "${name} is missing: install it (Debian package ${package})${ARGN}")
  endif()
endfunction()

# mg_option(<NAME> <purpose>): the option MNIST_GPU_<NAME>: AUTO (use it where it is found), ON, OFF.
function(mg_option name purpose)
  set(MNIST_GPU_${name} AUTO CACHE STRING "${purpose}: AUTO (where it is found), ON or OFF")
  set_property(CACHE MNIST_GPU_${name} PROPERTY STRINGS AUTO ON OFF)
  if(NOT MNIST_GPU_${name} MATCHES "^(AUTO|ON|OFF)$")
    message(FATAL_ERROR "MNIST_GPU_${name}: expected AUTO, ON or OFF, found \"${MNIST_GPU_${name}}\"")
  endif()
endfunction()

# mg_decide(<NAME> <found> <what was found> <what is missing, and how to get it>)
#
# Sets MG_WITH_<NAME> and adds a line to the summary. ON and missing is an error.
function(mg_decide name found what missing)
  set(with OFF)
  if(MNIST_GPU_${name} STREQUAL "OFF")
    set(state "off")
  elseif(found)
    set(with ON)
    set(state "on (${what})")
  elseif(MNIST_GPU_${name} STREQUAL "ON")
    message(FATAL_ERROR "MNIST_GPU_${name}=ON, but ${missing}")
  else()
    set(state "left out: ${missing}")
  endif()
  set(MG_WITH_${name} ${with} PARENT_SCOPE)
  set_property(GLOBAL APPEND_STRING PROPERTY MG_SUMMARY "\n--   ${name}: ${state}")
endfunction()

function(mg_print_summary)
  get_property(lines GLOBAL PROPERTY MG_SUMMARY)
  message(STATUS "mnist_gpu ${PROJECT_VERSION}, ${CMAKE_BUILD_TYPE}, with${lines}")
endfunction()

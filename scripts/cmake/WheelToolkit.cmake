# NVIDIA's Python wheels as a CUDA toolkit. They unpack to site-packages/nvidia/{cu13,cudnn}, where
# cu13 has bin, include, lib and nvvm, but no lib64, and libraries named by their version alone
# (libcudart.so.13). CMake and nvcc look for the usual layout, so here it is made, of symlinks.

# mg_find_wheels(<out>): $MNIST_GPU_WHEELS if set, else the folder `nvidia` of the active Python, or "".
function(mg_find_wheels out)
  set(found "${MNIST_GPU_WHEELS}")
  if(found AND NOT IS_DIRECTORY "${found}")
    message(FATAL_ERROR "MNIST_GPU_WHEELS: no such folder: ${found}")
  endif()
  if(NOT found)
    execute_process(
      COMMAND python3 -c "import nvidia; print(list(nvidia.__path__)[0])"
      OUTPUT_VARIABLE found ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

function(mg_link_into folder)
  file(MAKE_DIRECTORY ${folder})
  foreach(file IN LISTS ARGN)
    get_filename_component(name ${file} NAME)
    file(CREATE_LINK ${file} ${folder}/${name} SYMBOLIC)
  endforeach()
endfunction()

# mg_wheel_toolkit(<out> <wheels>): the folder of a toolkit made of those wheels; "" if they have none.
function(mg_wheel_toolkit out wheels)
  set(${out} "" PARENT_SCOPE)
  file(GLOB compilers ${wheels}/cu[0-9]*/bin/nvcc)
  if(NOT compilers)
    return()
  endif()
  list(SORT compilers COMPARE NATURAL ORDER DESCENDING)
  list(GET compilers 0 compiler)
  get_filename_component(from ${compiler}/../.. ABSOLUTE)
  set(tree ${CMAKE_BINARY_DIR}/cuda-toolkit)
  file(REMOVE_RECURSE ${tree})

  file(GLOB programs ${from}/bin/*)
  mg_link_into(${tree}/bin ${programs})
  mg_link_into(${tree} ${from}/include ${from}/nvvm)
  file(GLOB libraries ${from}/lib/*)
  mg_link_into(${tree}/lib64 ${libraries})
  file(GLOB versioned ${from}/lib/lib*.so.*)
  foreach(library IN LISTS versioned)
    string(REGEX REPLACE "\\.so\\..*" ".so" plain ${library})
    get_filename_component(plain ${plain} NAME)
    if(NOT EXISTS ${tree}/lib64/${plain})
      file(CREATE_LINK ${library} ${tree}/lib64/${plain} SYMBOLIC)
    endif()
  endforeach()
  set(${out} ${tree} PARENT_SCOPE)
endfunction()

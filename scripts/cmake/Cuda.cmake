# The CUDA toolkit and cuDNN, for MNIST_GPU_CUDA. Enables the language CUDA only where everything is
# there, so that a machine with half of it still builds the rest.
#
# Sets MG_CUDA_FOUND, MG_CUDA_WHAT (versions) and MG_CUDA_MISSING (what to install).

include(CheckLanguage)
include(WheelToolkit)

set(MG_CUDA_FOUND OFF)
set(MG_CUDA_WHAT "")
set(MG_CUDA_MISSING "")
set(_toolkit_needed 13.0)
set(_cudnn_needed 9)

# All GPUs that this toolkit knows, from Turing on, and PTX for those to come. `native` would fail on
# machines without a GPU.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES AND NOT DEFINED ENV{CUDAARCHS})
  set(CMAKE_CUDA_ARCHITECTURES
    75-real 80-real 86-real 89-real 90-real 100-real 120-real 75-virtual 120-virtual)
endif()

# ---- nvcc: as the user says, else an installed one, else one of the Python wheels ----

mg_find_wheels(MG_WHEELS)
if(MNIST_GPU_WHEELS)
  mg_wheel_toolkit(_tree ${MNIST_GPU_WHEELS})
  if(NOT _tree)
    message(FATAL_ERROR "MNIST_GPU_WHEELS: no cu13/bin/nvcc in ${MNIST_GPU_WHEELS} (pip package nvidia-cuda-nvcc)")
  endif()
  set(MG_NVCC ${_tree}/bin/nvcc)
elseif(CMAKE_CUDA_COMPILER)
  set(MG_NVCC ${CMAKE_CUDA_COMPILER})
elseif(DEFINED ENV{CUDACXX})
  set(MG_NVCC $ENV{CUDACXX})
else()
  find_program(MG_NVCC nvcc
    HINTS ${CUDAToolkit_ROOT} ENV CUDAToolkit_ROOT ENV CUDA_HOME ENV CUDA_PATH
    PATHS /usr/local/cuda PATH_SUFFIXES bin NO_CACHE)
  if(NOT MG_NVCC AND MG_WHEELS)
    mg_wheel_toolkit(_tree ${MG_WHEELS})
    if(_tree)
      set(MG_NVCC ${_tree}/bin/nvcc)
    endif()
  endif()
endif()

# ---- does it work, and is it new enough? ----

set(_version "")
if(MG_NVCC)
  execute_process(COMMAND ${MG_NVCC} --version OUTPUT_VARIABLE _said ERROR_QUIET)
  if(_said MATCHES "release [0-9.]+, V([0-9.]+)")
    set(_version ${CMAKE_MATCH_1})
  endif()
endif()
if(NOT MG_NVCC)
  set(MG_CUDA_MISSING
    "no CUDA toolkit was found (NVIDIA's Debian package cuda-toolkit-13-0; or name its folder with -DCUDAToolkit_ROOT=)")
elseif(NOT _version VERSION_GREATER_EQUAL _toolkit_needed)
  set(MG_CUDA_MISSING
    "${MG_NVCC} is of version ${_version}, ${_toolkit_needed} or later is needed (NVIDIA's Debian package cuda-toolkit-13-0)")
else()
  set(ENV{CUDACXX} ${MG_NVCC})
  if(NOT CMAKE_CUDA_COMPILER)
    unset(CMAKE_CUDA_COMPILER CACHE) # an earlier failure is not the last word
  endif()
  check_language(CUDA)
  if(NOT CMAKE_CUDA_COMPILER)
    set(MG_CUDA_MISSING
      "${MG_NVCC} compiles nothing here (is g++ installed, Debian package g++? CMakeFiles/CMakeError.log has its words)")
  endif()
endif()

# ---- the libraries ----

if(NOT MG_CUDA_MISSING)
  enable_language(CUDA)
  find_package(CUDAToolkit ${_toolkit_needed} QUIET)
  find_package(CUDNN ${_cudnn_needed} QUIET)
  if(NOT TARGET CUDA::cudart OR NOT TARGET CUDA::cublas)
    set(MG_CUDA_MISSING
      "the toolkit of ${MG_NVCC} has no cudart or no cuBLAS (NVIDIA's Debian package cuda-libraries-dev-13-0)")
  elseif(NOT CUDNN_FOUND)
    set(MG_CUDA_MISSING
      "no cuDNN ${_cudnn_needed} was found (NVIDIA's Debian package libcudnn9-dev-cuda-13; or name its folder with -DCUDNN_ROOT=)")
  else()
    set(MG_CUDA_FOUND ON)
    set(MG_CUDA_WHAT "toolkit ${_version}, cuDNN ${CUDNN_VERSION}, for ${CMAKE_CUDA_ARCHITECTURES}")
  endif()
endif()

# mg_runtime_folders(<out> <imported targets>): where these libraries are, for the RPATH of what uses
# them; without the folders that the loader searches by itself. CMake's own RPATH leaves out the
# toolkit's, which the linker, but not the loader, knows.
function(mg_runtime_folders out)
  set(folders "")
  foreach(target IN LISTS ARGN)
    get_target_property(library ${target} IMPORTED_LOCATION)
    get_filename_component(library ${library} REALPATH)
    get_filename_component(folder ${library} DIRECTORY)
    list(APPEND folders ${folder})
  endforeach()
  list(REMOVE_DUPLICATES folders)
  list(REMOVE_ITEM folders ${CMAKE_C_IMPLICIT_LINK_DIRECTORIES})
  set(${out} ${folders} PARENT_SCOPE)
endfunction()

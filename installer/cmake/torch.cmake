# LibTorch as two imported targets. find_package(Torch) would insist on a CUDA toolkit even for the CPU engine, so the
# libraries are named here: cuescope::torch (CPU) and, where nvcc is found, cuescope::torch_cuda.
set(_torch_hints "$ENV{LIBTORCH}")
file(GLOB _torch_venv "${PROJECT_SOURCE_DIR}/.deps/venv/lib/python3*/site-packages/torch")
list(APPEND _torch_hints ${_torch_venv})
find_program(_torch_python NAMES python3)
if(NOT _torch_hints AND _torch_python)
  execute_process(COMMAND "${_torch_python}" -c "import torch, os; print(os.path.dirname(torch.__file__))"
    OUTPUT_VARIABLE _torch_found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  list(APPEND _torch_hints ${_torch_found})
endif()
find_path(CUESCOPE_TORCH_ROOT NAMES include/ATen/ATen.h PATHS ${_torch_hints} NO_DEFAULT_PATH)
if(NOT CUESCOPE_TORCH_ROOT)
  message(FATAL_ERROR "LibTorch was not found. Run installer/bootstrap.sh, or set LIBTORCH to an unpacked LibTorch 2.11.")
endif()
message(STATUS "LibTorch: ${CUESCOPE_TORCH_ROOT}")

# The wheels of the CUDA runtime lie beside torch; the dynamic linker finds them through torch's own RUNPATH.
file(GLOB _torch_nvidia "${CUESCOPE_TORCH_ROOT}/../nvidia/*/lib")

add_library(cuescope_torch INTERFACE)
add_library(cuescope::torch ALIAS cuescope_torch)
target_include_directories(cuescope_torch SYSTEM INTERFACE "${CUESCOPE_TORCH_ROOT}/include"
  "${CUESCOPE_TORCH_ROOT}/include/torch/csrc/api/include")
target_link_libraries(cuescope_torch INTERFACE "${CUESCOPE_TORCH_ROOT}/lib/libtorch_cpu.so" "${CUESCOPE_TORCH_ROOT}/lib/libc10.so")
foreach(_dir IN LISTS _torch_nvidia)
  target_link_options(cuescope_torch INTERFACE "LINKER:-rpath-link,${_dir}" "LINKER:-rpath,${_dir}")
endforeach()
target_link_options(cuescope_torch INTERFACE "LINKER:-rpath,${CUESCOPE_TORCH_ROOT}/lib")

set(CUESCOPE_HAS_CUDA OFF)
if(NOT CUESCOPE_CUDA STREQUAL "OFF")
  find_program(CUESCOPE_NVCC nvcc HINTS /usr/local/cuda/bin "$ENV{CUDA_HOME}/bin")
  if(CUESCOPE_NVCC AND EXISTS "${CUESCOPE_TORCH_ROOT}/lib/libtorch_cuda.so")
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES 80-virtual 90)  # there may be no GPU where this is built
    endif()
    set(CMAKE_CUDA_COMPILER "${CUESCOPE_NVCC}")
    set(CMAKE_CUDA_STANDARD 20)
    set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)  # the one that LibTorch uses, not a second one inside the module
    enable_language(CUDA)
    set(CUESCOPE_HAS_CUDA ON)
    get_filename_component(_cuda_bin "${CUESCOPE_NVCC}" DIRECTORY)
    get_filename_component(CUESCOPE_CUDA_ROOT "${_cuda_bin}" DIRECTORY)
    add_library(cuescope_torch_cuda INTERFACE)
    add_library(cuescope::torch_cuda ALIAS cuescope_torch_cuda)
    target_include_directories(cuescope_torch_cuda SYSTEM INTERFACE "${CUESCOPE_CUDA_ROOT}/include")
    # libtorch_cuda registers itself when it is loaded; nothing names a symbol of it, so the linker must be told to keep it.
    target_link_libraries(cuescope_torch_cuda INTERFACE cuescope_torch
      "-Wl,--push-state,--no-as-needed,${CUESCOPE_TORCH_ROOT}/lib/libtorch_cuda.so,${CUESCOPE_TORCH_ROOT}/lib/libc10_cuda.so,${CUESCOPE_TORCH_ROOT}/lib/libtorch.so,--pop-state")
  elseif(CUESCOPE_CUDA STREQUAL "ON")
    message(FATAL_ERROR "CUESCOPE_CUDA=ON needs nvcc and a LibTorch built for CUDA; nvcc: ${CUESCOPE_NVCC}, LibTorch: ${CUESCOPE_TORCH_ROOT}")
  endif()
endif()
message(STATUS "CUDA engine pack: ${CUESCOPE_HAS_CUDA}")

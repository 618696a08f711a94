# What makes a mistake in the program end it rather than serve an attacker, where compiler and linker
# know it: checked copies and stacks, addresses that are random and tables that are read-only.
# https://best.openssf.org/Compiler-Hardening-Guides
include(CheckCCompilerFlag)
include(CheckLinkerFlag)

# mg_harden(<target>): gives these options to whatever links the interface library <target>.
function(mg_harden target)
  # Optimised builds alone: a sanitizer checks more, and its checks must see every call.
  if(NOT MNIST_GPU_SANITIZE)
    target_compile_options(${target} INTERFACE
      $<$<AND:$<COMPILE_LANGUAGE:C>,$<CONFIG:Release,RelWithDebInfo,MinSizeRel>>:
        -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>)
  endif()
  foreach(option -fstack-protector-strong -fstack-clash-protection -fcf-protection)
    string(MAKE_C_IDENTIFIER "MG_HAS${option}" known)
    check_c_compiler_flag(${option} ${known})
    if(${known})
      target_compile_options(${target} INTERFACE $<$<COMPILE_LANGUAGE:C>:${option}>)
    endif()
  endforeach()
  if(MG_HAS_fstack_protector_strong)
    target_compile_options(${target} INTERFACE
      $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-fstack-protector-strong>)
  endif()

  # Not by POSITION_INDEPENDENT_CODE, which compiles static libraries for shared ones (-fPIC): slower.
  set(is_module $<STREQUAL:$<TARGET_PROPERTY:TYPE>,MODULE_LIBRARY>)
  target_compile_options(${target} INTERFACE $<$<AND:$<COMPILE_LANGUAGE:C>,$<NOT:${is_module}>>:-fPIE>)
  target_link_options(${target} INTERFACE
    $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie>)
  foreach(option relro now noexecstack)
    check_linker_flag(C LINKER:-z,${option} MG_HAS_LINKER_${option})
    if(MG_HAS_LINKER_${option})
      target_link_options(${target} INTERFACE LINKER:-z,${option})
    endif()
  endforeach()
endfunction()

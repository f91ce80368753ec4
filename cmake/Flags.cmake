# How weir's own C is compiled: the language, the warnings, the hardening or the sanitizer. Use: link with weir_flags.

include(CheckCCompilerFlag)
include(CheckLinkerFlag)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g -DNDEBUG")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")

set(weir_warnings -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual
    -Wformat=2 -Wundef -Wvla)

add_library(weir_flags INTERFACE)
target_compile_definitions(weir_flags INTERFACE _GNU_SOURCE)
target_compile_options(weir_flags INTERFACE ${weir_warnings} -ffunction-sections -fdata-sections)
target_link_options(weir_flags INTERFACE -Wl,--gc-sections)

# lld links the bridge's 100 MB in a second; other linkers take several.
check_linker_flag(C -fuse-ld=lld weir_has_lld)
if(weir_has_lld)
    target_link_options(weir_flags INTERFACE -fuse-ld=lld)
endif()

# add_if_known(OPTION...): hardening options that this compiler has for this architecture
function(add_if_known)
    foreach(option IN LISTS ARGN)
        string(MAKE_C_IDENTIFIER "weir_has${option}" known)
        check_c_compiler_flag(${option} ${known})
        if(${known})
            target_compile_options(weir_flags INTERFACE ${option})
        endif()
    endforeach()
endfunction()

if(WEIR_SANITIZE STREQUAL "address")
    set(sanitize -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(WEIR_SANITIZE STREQUAL "thread")
    set(sanitize -fsanitize=thread)
elseif(WEIR_SANITIZE STREQUAL "fuzzer")
    # Without its main program, which the fuzzers alone have
    set(sanitize -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
elseif(WEIR_SANITIZE)
    message(FATAL_ERROR "WEIR_SANITIZE is '${WEIR_SANITIZE}'; it can be address, thread or fuzzer")
elseif(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    # What distributions build with; some compilers define the first by themselves, to another value.
    target_compile_options(weir_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
    add_if_known(-fstack-protector-strong -fstack-clash-protection -fcf-protection -mbranch-protection=standard)
    target_link_options(weir_flags INTERFACE -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()
if(sanitize)
    target_compile_options(weir_flags INTERFACE ${sanitize})
    target_link_options(weir_flags INTERFACE ${sanitize})
endif()

# Move a program's symbols and debugging information into PROGRAM.debug beside it, where debuggers look.
function(weir_split_debug_information target)
    add_custom_command(TARGET ${target} POST_BUILD
        COMMAND ${CMAKE_OBJCOPY} --only-keep-debug $<TARGET_FILE:${target}> $<TARGET_FILE:${target}>.debug
        COMMAND ${CMAKE_OBJCOPY} --strip-all --add-gnu-debuglink=$<TARGET_FILE:${target}>.debug $<TARGET_FILE:${target}>
        VERBATIM
    )
endfunction()

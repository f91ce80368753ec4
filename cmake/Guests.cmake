# Guests in C: components that answer wasi:http, and WAGI modules. Everything they need is WEIR_GUEST_TOOLS
# (wit-bindgen, wasm-component-ld), the WIT files that come with the bridge, clang, wasm-ld and wasi-libc.

find_program(WEIR_GUEST_CLANG clang REQUIRED)
find_program(WEIR_WASM_LD wasm-ld REQUIRED)

set(weir_bindings ${CMAKE_BINARY_DIR}/bindings)
set(weir_guest_compile ${WEIR_GUEST_CLANG} --target=wasm32-wasi -std=c17 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror)

# The bindings, once for all components. Generated code keeps its own style, so its warnings are off.
set(weir_bindings_wit ${CMAKE_BINARY_DIR}/wit)
configure_file(${CMAKE_SOURCE_DIR}/cmake/bindings.wit ${weir_bindings_wit}/bindings.wit COPYONLY)
file(CREATE_LINK ${WEIR_BRIDGE}/wit/deps ${weir_bindings_wit}/deps SYMBOLIC)
add_custom_command(
    OUTPUT ${weir_bindings}/bindings.h ${weir_bindings}/bindings.c ${weir_bindings}/bindings_component_type.o
    COMMAND ${WEIR_GUEST_TOOLS}/bin/wit-bindgen c ${weir_bindings_wit} --world bindings --out-dir ${weir_bindings}
    DEPENDS ${weir_bindings_wit}/bindings.wit ${WEIR_BRIDGE}/wit/world.wit ${WEIR_GUEST_TOOLS}/bin/wit-bindgen
    COMMENT "Generating C bindings for wasi:http and variables"
    VERBATIM
)
add_custom_command(
    OUTPUT ${weir_bindings}/bindings.o
    COMMAND ${WEIR_GUEST_CLANG} --target=wasm32-wasi -O2 -w -ffunction-sections -c bindings.c -o bindings.o
    DEPENDS ${weir_bindings}/bindings.h ${weir_bindings}/bindings.c
    WORKING_DIRECTORY ${weir_bindings}
    COMMENT "Compiling C bindings for wasi:http and variables"
    VERBATIM
)

add_custom_target(guest_bindings DEPENDS ${weir_bindings}/bindings.o)

# Compile the sources of a guest; `ret_objects` are the objects.
function(weir_compile_guest name ret_objects)
    set(objects)
    foreach(source IN LISTS ARGN)
        cmake_path(ABSOLUTE_PATH source NORMALIZE)
        cmake_path(GET source STEM stem)
        set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.objects/${stem}.o)
        add_custom_command(
            OUTPUT ${object}
            COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/${name}.objects
            COMMAND ${weir_guest_compile} -I ${weir_bindings} -MD -MF ${object}.d -c ${source} -o ${object}
            DEPENDS ${source} ${weir_bindings}/bindings.h
            DEPFILE ${object}.d
            COMMENT "Compiling guest ${name}"
            VERBATIM
        )
        list(APPEND objects ${object})
    endforeach()
    set(${ret_objects} ${objects} PARENT_SCOPE)
endfunction()

# Link objects into DIRECTORY/NAME.wasm, whole or not at all: a server may be reading it.
function(weir_link_guest name directory objects)
    set(wasm ${directory}/${name}.wasm)
    add_custom_command(
        OUTPUT ${wasm}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${directory}
        COMMAND ${WEIR_GUEST_CLANG} --target=wasm32-wasi ${objects} -o ${wasm}.new -Wl,--strip-all ${ARGN}
        COMMAND ${CMAKE_COMMAND} -E rename ${wasm}.new ${wasm}
        DEPENDS ${objects}
        COMMENT "Linking guest ${name}"
        VERBATIM
    )
    add_custom_target(guest_${name} ALL DEPENDS ${wasm})
    add_dependencies(guest_${name} guest_bindings)
endfunction()

# weir_add_component(NAME DIRECTORY SOURCE...): a component that exports wasi:http/incoming-handler, as
# DIRECTORY/NAME.wasm. Target: guest_NAME.
function(weir_add_component name directory)
    weir_compile_guest(${name} objects ${ARGN})
    list(APPEND objects ${weir_bindings}/bindings.o ${weir_bindings}/bindings_component_type.o)
    weir_link_guest(${name} ${directory} "${objects}" -mexec-model=reactor
        -fuse-ld=${WEIR_GUEST_TOOLS}/bin/wasm-component-ld -Wl,--wasm-ld-path=${WEIR_WASM_LD} -Wl,--validate-component=true)
endfunction()

# weir_add_wagi(NAME DIRECTORY SOURCE...): a core module with _start, a program that answers through CGI, as
# DIRECTORY/NAME.wasm. Target: guest_NAME.
function(weir_add_wagi name directory)
    weir_compile_guest(${name} objects ${ARGN})
    weir_link_guest(${name} ${directory} "${objects}")
endfunction()

# weir_add_program(NAME DIRECTORY SOURCE...): a component that exports wasi:cli/run, a program that answers through CGI.
function(weir_add_program name directory)
    weir_compile_guest(${name} objects ${ARGN})
    weir_link_guest(${name} ${directory} "${objects}"
        -fuse-ld=${WEIR_GUEST_TOOLS}/bin/wasm-component-ld -Wl,--wasm-ld-path=${WEIR_WASM_LD} -Wl,--validate-component=true)
endfunction()

# weir_add_bound_module(NAME DIRECTORY SOURCE...): what weir_add_component makes, before it is a component: a core module
# with component types.
function(weir_add_bound_module name directory)
    weir_compile_guest(${name} objects ${ARGN})
    list(APPEND objects ${weir_bindings}/bindings.o ${weir_bindings}/bindings_component_type.o)
    weir_link_guest(${name} ${directory} "${objects}" -mexec-model=reactor)
endfunction()

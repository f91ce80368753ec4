# What `weir new` copies: templates/, and with the one for wasi:http its bindings, so that building an application takes
# no more than clang and wasi-libc. They lie beside the program, and are installed with it.

set(weir_templates ${CMAKE_BINARY_DIR}/templates)
file(GLOB_RECURSE sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/templates ${CMAKE_SOURCE_DIR}/templates/*)
set(copies)
foreach(source IN LISTS sources)
    cmake_path(GET source PARENT_PATH directory)
    add_custom_command(
        OUTPUT ${weir_templates}/${source}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${weir_templates}/${directory}
        COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_SOURCE_DIR}/templates/${source} ${weir_templates}/${source}
        DEPENDS ${CMAKE_SOURCE_DIR}/templates/${source}
        COMMENT "Copying template ${source}"
        VERBATIM
    )
    list(APPEND copies ${weir_templates}/${source})
endforeach()
foreach(file IN ITEMS bindings.h bindings.c bindings_component_type.o)
    add_custom_command(
        OUTPUT ${weir_templates}/c-http/${file}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${weir_templates}/c-http
        COMMAND ${CMAKE_COMMAND} -E copy ${weir_bindings}/${file} ${weir_templates}/c-http/${file}
        DEPENDS ${weir_bindings}/${file}
        COMMENT "Copying template c-http/${file}"
        VERBATIM
    )
    list(APPEND copies ${weir_templates}/c-http/${file})
endforeach()
add_custom_target(templates ALL DEPENDS ${copies})
add_dependencies(templates guest_bindings)

install(DIRECTORY ${weir_templates}/ DESTINATION ${CMAKE_INSTALL_DATADIR}/weir/templates COMPONENT program)

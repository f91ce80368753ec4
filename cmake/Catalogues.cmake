# The catalogues of po/, compiled into the allocator's library: where the program goes, its languages go.

find_program(WEIR_MSGFMT msgfmt)
if(NOT WEIR_MSGFMT)
    message(FATAL_ERROR "msgfmt is missing: run ./dev build, which installs it (Debian's package gettext)")
endif()

set(weir_catalogue_directory ${CMAKE_BINARY_DIR}/po)
file(MAKE_DIRECTORY ${weir_catalogue_directory})
file(STRINGS ${CMAKE_SOURCE_DIR}/po/LINGUAS weir_languages REGEX "^[a-z]")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/po/LINGUAS)
set(weir_catalogues)
foreach(language IN LISTS weir_languages)
    add_custom_command(
        OUTPUT ${weir_catalogue_directory}/${language}.mo
        COMMAND ${WEIR_MSGFMT} --check --endianness=little -o ${weir_catalogue_directory}/${language}.mo
            ${CMAKE_SOURCE_DIR}/po/${language}.po
        DEPENDS ${CMAKE_SOURCE_DIR}/po/${language}.po
        COMMENT "Compiling po/${language}.po"
        VERBATIM
    )
    list(APPEND weir_catalogues ${weir_catalogue_directory}/${language}.mo)
endforeach()
add_custom_command(
    OUTPUT ${weir_catalogue_directory}/catalogues.c
    COMMAND ${CMAKE_COMMAND} "-DLANGUAGES=${weir_languages}" -DDIRECTORY=${weir_catalogue_directory}
        -P ${CMAKE_SOURCE_DIR}/cmake/embed_catalogues.cmake
    DEPENDS ${weir_catalogues} ${CMAKE_SOURCE_DIR}/po/LINGUAS ${CMAKE_SOURCE_DIR}/cmake/embed_catalogues.cmake
    COMMENT "Embedding the catalogues"
    VERBATIM
)
target_sources(weir_allocator PRIVATE ${weir_catalogue_directory}/catalogues.c)

# A script: writes DIRECTORY/catalogues.c with the bytes of DIRECTORY/LANGUAGE.mo for each of LANGUAGES.

set(text "#include \"allocator/translate.h\"\n\n")
set(table "const weir_catalogue_t weir_catalogues[] = {\n")
foreach(language IN LISTS LANGUAGES)
    file(READ ${DIRECTORY}/${language}.mo bytes HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    string(APPEND text "static const unsigned char ${language}[] = {${bytes}};\n")
    string(APPEND table "    {\"${language}\", ${language}, sizeof ${language}},\n")
endforeach()
file(WRITE ${DIRECTORY}/catalogues.c "${text}\n${table}    {0, 0, 0},\n};\n")

# A script: writes TARGET with the bytes of PAGE.

file(READ ${PAGE} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(WRITE ${TARGET} "#include \"admin/page.h\"\n\nconst unsigned char weir_admin_page[] = {${bytes}};\n"
    "const size_t weir_admin_page_size = sizeof weir_admin_page;\n")

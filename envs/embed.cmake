# cmake -DINPUT=a.xml -DOUTPUT=a_xml.c -DSYMBOL=a_xml -P embed.cmake
# Writes a C file that defines `const char SYMBOL[]`, the input's text and a final zero. Bytes, not
# a string literal: C11 promises no more than 4095 characters for those.
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "extern const char ${SYMBOL}[];\nconst char ${SYMBOL}[] = {\n${bytes}0};\n")

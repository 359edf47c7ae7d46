# cmake -DINPUT=a.xml -DSCENERY=scenery.xml -DOUTPUT=a_xml.c -DSYMBOL=a_xml -P embed.cmake
# Writes a C file that defines `const char SYMBOL[]`, the text of the model with the scenery's
# elements as its last and a final zero. Bytes, not a string literal: C11 promises no more than 4095
# characters for those.
file(READ ${INPUT} model)
file(READ ${SCENERY} scenery)
string(REGEX REPLACE "^.*<mujoco>\n(.*)</mujoco>.*$" "\\1" scenery "${scenery}")
string(REPLACE "</mujoco>" "${scenery}</mujoco>" model "${model}")
string(HEX "${model}" bytes)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "extern const char ${SYMBOL}[];\nconst char ${SYMBOL}[] = {\n${bytes}0};\n")

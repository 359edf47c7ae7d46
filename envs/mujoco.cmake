# MuJoCo as mujoco::mujoco: the system's, or that of the folder CHAINRING_MUJOCO, which has include/
# and libmujoco.so.*, as the folder `mujoco` of a Python wheel has.
set(CHAINRING_MUJOCO "" CACHE PATH "Folder of a MuJoCo other than the system's, or empty")

if(CHAINRING_MUJOCO)
  file(GLOB library ${CHAINRING_MUJOCO}/libmujoco.so.* ${CHAINRING_MUJOCO}/lib/libmujoco.so.*)
  list(LENGTH library count)
  if(NOT count EQUAL 1 OR NOT EXISTS ${CHAINRING_MUJOCO}/include/mujoco/mujoco.h)
    message(FATAL_ERROR "CHAINRING_MUJOCO=${CHAINRING_MUJOCO}: expected include/mujoco/mujoco.h "
      "and one libmujoco.so.* below it, found the libraries \"${library}\"")
  endif()
  add_library(mujoco::mujoco SHARED IMPORTED)
  set_target_properties(mujoco::mujoco PROPERTIES IMPORTED_LOCATION ${library}
    INTERFACE_INCLUDE_DIRECTORIES ${CHAINRING_MUJOCO}/include)
else()
  find_package(mujoco REQUIRED)
  # Debian's package names a folder of headers that is not there and that nothing needs.
  get_target_property(folders mujoco::mujoco INTERFACE_INCLUDE_DIRECTORIES)
  foreach(folder ${folders})
    if(NOT EXISTS ${folder})
      list(REMOVE_ITEM folders ${folder})
    endif()
  endforeach()
  set_target_properties(mujoco::mujoco PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${folders}")
endif()

# How every target of the project is declared.
#
# Each library gets an include folder of its own in the build tree that holds
# nothing but a link to its source folder. A target therefore sees the headers
# of the libraries it names in DEPS, and of no other: an #include that breaks
# the folder graph does not compile.

add_library(engram_settings INTERFACE)
target_compile_options(engram_settings INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wimplicit-fallthrough -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 warns of std::string's own memcpy (its bug 105651).
  target_compile_options(engram_settings INTERFACE -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(engram_settings INTERFACE
    -Wthread-safety -Werror=thread-safety)
endif()
if(ENGRAM_SANITIZE)
  target_compile_options(engram_settings INTERFACE
    -fsanitize=${ENGRAM_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(engram_settings INTERFACE -fsanitize=${ENGRAM_SANITIZE})
endif()

# engram_library(FOLDER storage/wal SOURCES a.cc b.cc DEPS storage/io absl::x)
# declares the library engram_storage_wal.
function(engram_library)
  cmake_parse_arguments(ARG "" "FOLDER" "SOURCES;DEPS" ${ARGN})
  string(REPLACE "/" "_" suffix ${ARG_FOLDER})
  set(target engram_${suffix})
  set(view ${CMAKE_BINARY_DIR}/include/${suffix})
  get_filename_component(parent ${view}/${ARG_FOLDER} DIRECTORY)
  file(MAKE_DIRECTORY ${parent})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${ARG_FOLDER} ${view}/${ARG_FOLDER}
       SYMBOLIC)
  set(sources)
  foreach(source IN LISTS ARG_SOURCES)
    list(APPEND sources ${CMAKE_SOURCE_DIR}/${ARG_FOLDER}/${source})
  endforeach()
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC ${view})
  target_link_libraries(${target} PRIVATE engram_settings)
  engram_link(${target} PUBLIC ${ARG_DEPS})
endfunction()

# Links `target` with folders of this project or with imported targets.
function(engram_link target scope)
  foreach(dep IN LISTS ARGN)
    if(dep MATCHES "::" OR TARGET ${dep})
      target_link_libraries(${target} ${scope} ${dep})
    else()
      string(REPLACE "/" "_" suffix ${dep})
      target_link_libraries(${target} ${scope} engram_${suffix})
    endif()
  endforeach()
endfunction()

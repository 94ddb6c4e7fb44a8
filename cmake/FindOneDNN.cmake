# oneDNN for its sgemm: OneDNN::dnnl, OneDNN_FOUND, OneDNN_VERSION, OneDNN_LINK_FLAGS. oneDNN's own package file is not used, for it
# asks for OpenCL, which this needs not. With OpenMP the number of threads must be in our hands, so its runtime is linked
# as well (gomp or omp); a build on TBB or a thread pool of the caller cannot be kept to one thread and does not count.
include(CheckCSourceCompiles)
include(FindPackageHandleStandardArgs)
find_path(OneDNN_INCLUDE_DIR dnnl.h)
find_library(OneDNN_LIBRARY dnnl)
mark_as_advanced(OneDNN_INCLUDE_DIR OneDNN_LIBRARY)

if(OneDNN_INCLUDE_DIR AND OneDNN_LIBRARY)
  foreach(header oneapi/dnnl/dnnl_version.h dnnl_version.h)
    if(EXISTS ${OneDNN_INCLUDE_DIR}/${header} AND NOT OneDNN_VERSION)
      file(STRINGS ${OneDNN_INCLUDE_DIR}/${header} lines REGEX "define DNNL_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
      string(REGEX REPLACE "[^0-9;]" "" OneDNN_VERSION "${lines}")
      string(REPLACE ";" "." OneDNN_VERSION "${OneDNN_VERSION}")
    endif()
  endforeach()
  set(program "#include <dnnl.h>
#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
extern void omp_set_num_threads(int n);
#define SET omp_set_num_threads(1)
#elif DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_SEQ
#define SET (void)0
#endif
int main(void) { float x = 1, y = 0; SET; return (int)dnnl_sgemm('N', 'N', 1, 1, 1, 1, &x, 1, &x, 1, 0, &y, 1); }")
  set(CMAKE_REQUIRED_INCLUDES ${OneDNN_INCLUDE_DIR})
  foreach(runtime gomp omp "")
    if(NOT OneDNN_WORKS)
      unset(OneDNN_WORKS CACHE)
      set(CMAKE_REQUIRED_LIBRARIES ${OneDNN_LIBRARY} ${runtime})
      check_c_source_compiles("${program}" OneDNN_WORKS)
      set(OneDNN_RUNTIME "${runtime}" CACHE INTERNAL "OpenMP's runtime under oneDNN")
    endif()
  endforeach()
  unset(CMAKE_REQUIRED_INCLUDES)
  unset(CMAKE_REQUIRED_LIBRARIES)
endif()

find_package_handle_standard_args(OneDNN REQUIRED_VARS OneDNN_LIBRARY OneDNN_INCLUDE_DIR OneDNN_WORKS VERSION_VAR OneDNN_VERSION)
if(OneDNN_FOUND)
  set(OneDNN_LINK_FLAGS "-ldnnl")
  if(OneDNN_RUNTIME)
    string(APPEND OneDNN_LINK_FLAGS " -l${OneDNN_RUNTIME}")
  endif()
  if(NOT TARGET OneDNN::dnnl)
    add_library(OneDNN::dnnl INTERFACE IMPORTED)
    set_target_properties(OneDNN::dnnl PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${OneDNN_INCLUDE_DIR}
      INTERFACE_LINK_LIBRARIES "${OneDNN_LIBRARY};${OneDNN_RUNTIME}")
  endif()
endif()

/* Macros of libraries as cppcheck should see them (it reads no system headers). */
#define json_array_foreach(array, i, value) for (i = 0; i < json_array_size(array) && (value = json_array_get(array, i)); i++)
#define json_object_foreach(object, key, value) for (key = json_first(object); key && (value = json_object_get(object, key)); key = json_next(object, key))
#define json_object_foreach_safe(object, n, key, value) for (key = json_first(object), n = 0; key && (value = json_object_get(object, key)); key = json_next(object, key))

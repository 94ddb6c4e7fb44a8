/* A fuzz target without libFuzzer: runs it on every file of the folders (or files) named. Then a corpus, with all that
 * a fuzzer ever found, is a regression test for any compiler. An empty folder fails: such a test would prove
 * nothing. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    long size = -1;
    if (file && !fseek(file, 0, SEEK_END)) size = ftell(file);
    /* no byte more: a sanitizer sees a read past the end */
    uint8_t *data = size < 0 ? NULL : malloc(size ? (size_t)size : 1);
    int sound = data && !fseek(file, 0, SEEK_SET) && fread(data, 1, (size_t)size, file) == (size_t)size;
    if (file) fclose(file);
    if (!sound) fprintf(stderr, "cannot read %s\n", path);
    if (sound) LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    return sound;
}

static int run_folder(const char *path, DIR *dir)
{
    int n = 0;
    char file[4096];
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.') continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (!run_file(file)) return 0;
        n++;
    }
    return n;
}

int main(int argc, char **argv)
{
    int n = 0;
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        int ran = dir ? run_folder(argv[i], dir) : run_file(argv[i]);
        if (dir) closedir(dir);
        if (!ran) {
            fprintf(stderr, "nothing was run for %s\n", argv[i]);
            return 1;
        }
        n += ran;
    }
    printf("%d inputs\n", n);
    return n > 0 ? 0 : 1;
}

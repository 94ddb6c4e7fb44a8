# The front door. `make` builds the release program at build/penchant.
.PHONY: all build clean
all: build

build:
	@cmake -S . -B build -DCMAKE_BUILD_TYPE=Release $(CMAKE_ARGS) > build.log 2>&1 || { cat build.log; exit 1; }
	@cmake --build build -j

clean:
	rm -rf build build.log

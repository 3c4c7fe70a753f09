// write_seeds FOLDER: writes the seeds of each entry to FOLDER/<entry>/.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/fuzz/entries.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: write_seeds FOLDER\n");
    return 1;
  }
  for (const engram::fuzz::Entry& entry : engram::fuzz::AllEntries()) {
    const std::filesystem::path folder =
        std::filesystem::path(argv[1]) / entry.name;
    std::filesystem::create_directories(folder);
    int number = 0;
    for (const std::string& seed : entry.seeds()) {
      std::ofstream(folder / std::to_string(number++), std::ios::binary)
          << seed;
    }
  }
  return 0;
}

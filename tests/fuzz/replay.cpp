// Runs a fuzzer's seeds, and changes of them, without libFuzzer: a test for any compiler.
//
//   replay <folder> <changes of each seed>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

/// The same numbers on every machine (splitmix64).
size_t random_below(size_t bound) {
  static uint64_t state = 0;
  uint64_t z = (state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return (z ^ (z >> 31)) % bound;
}

Bytes changed(Bytes bytes, const std::vector<Bytes>& seeds) {
  for (size_t changes = 1 + random_below(3); changes > 0 && !bytes.empty(); --changes) {
    const auto at = bytes.begin() + ptrdiff_t(random_below(bytes.size()));
    const auto length = ptrdiff_t(random_below(std::min<size_t>(16, size_t(bytes.end() - at))) + 1);
    const Bytes& other = seeds[random_below(seeds.size())];
    switch (random_below(5)) {
      case 0:
        *at = uint8_t(random_below(256));
        break;
      case 1:
        *at = uint8_t("0123456789\"{}[],:-. \n"[random_below(21)]);
        break;
      case 2:
        bytes.erase(at, at + length);
        break;
      case 3: {
        const Bytes piece(at, at + length);
        bytes.insert(bytes.begin() + ptrdiff_t(random_below(bytes.size())), piece.begin(), piece.end());
        break;
      }
      case 4:  // the rest of another seed
        bytes.erase(at, bytes.end());
        if (!other.empty())
          bytes.insert(bytes.end(), other.begin() + ptrdiff_t(random_below(other.size())), other.end());
    }
  }
  return bytes;
}

void run(const Bytes& bytes) {
  const std::unique_ptr<uint8_t[]> exact(new uint8_t[bytes.size()]);  // no room behind it
  std::copy(bytes.begin(), bytes.end(), exact.get());
  LLVMFuzzerTestOneInput(exact.get(), bytes.size());
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 1;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(arguments[1])) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());  // the same order everywhere
  std::vector<Bytes> seeds;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  const long changes = std::atol(arguments[2]);
  for (const Bytes& seed : seeds) {
    run(seed);
    for (long i = 0; i < changes; ++i) run(changed(seed, seeds));
  }
  std::printf("%zu seeds, %ld changes of each\n", seeds.size(), changes);
  return seeds.empty() ? 1 : 0;
}

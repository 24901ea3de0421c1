// Computes what Python has computed, and compares every bit: consumer <folder>...
//
// A folder has model.safetensors, a model of float32 weights; x, the raw features [T, inputs] (float) or
// tokens [T] (int64_t); and what Python got for them: run, of the whole sequence at once, and step, of one
// step after the other, both [T, outputs] floats.
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "weft/weft.hpp"

namespace {

using Path = std::filesystem::path;

template <class T>
std::vector<T> read(const Path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path.string() + ": cannot be opened");
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

void compare(const Path& path, const std::vector<float>& got) {
  const auto expected = read<float>(path);
  if (expected.size() != got.size()) throw std::runtime_error(path.string() + ": another size");
  if (std::memcmp(expected.data(), got.data(), got.size() * sizeof(float)) != 0)
    throw std::runtime_error(path.string() + ": other bits");
}

/// x are features, or tokens.
template <class X, int Rank>
void check(const Path& folder, const weft::Model& model, const std::vector<X>& x, weft::Axes<Rank> shape) {
  const int64_t steps = shape[1];
  std::vector<float> y(static_cast<size_t>(steps * model.outputs()));
  model.run(weft::View<const X, Rank>(x.data(), shape),
            weft::View<float, 3>(y.data(), {1, steps, model.outputs()}));
  compare(folder / "run", y);

  weft::Stream stream(model);
  for (int64_t t = 0; t < steps; ++t) {
    float* row = y.data() + t * model.outputs();
    weft::Status status;
    if constexpr (Rank == 2)
      status = stream.step(x[static_cast<size_t>(t)], row);
    else
      status = stream.step(x.data() + t * model.inputs(), row);
    if (status != weft::Status::ok) throw std::runtime_error(weft::status_text(status));
  }
  compare(folder / "step", y);
  std::printf("%s: %ld steps, the same bits\n", folder.c_str(), static_cast<long>(steps));
}

void check(const Path& folder) {
  const weft::Model model = weft::Model::load((folder / "model.safetensors").string());
  if (model.takes_tokens()) {
    const auto tokens = read<int64_t>(folder / "x");
    check<int64_t, 2>(folder, model, tokens, {1, static_cast<int64_t>(tokens.size())});
  } else {
    const auto x = read<float>(folder / "x");
    check<float, 3>(folder, model, x, {1, static_cast<int64_t>(x.size()) / model.inputs(), model.inputs()});
  }
}

/// An exception of the library is caught here, whichever way it was linked.
void refuse() {
  try {
    weft::Model::load("no such file");
  } catch (const weft::BadFile&) {
    return;
  }
  throw std::logic_error("no such file: must be refused");
}

}  // namespace

int main(int count, char** folders) try {
  std::printf("weft %s, %s\n", weft::version(), weft::isa().c_str());
  refuse();
  for (int i = 1; i < count; ++i) check(folders[i]);
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}

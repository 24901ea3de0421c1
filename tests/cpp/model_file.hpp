// A model's file in memory, as Python writes it.
#pragma once

#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "check.hpp"

namespace weft::test {

template <class T>
class ModelFile {
 public:
  /// A tensor of random numbers, the same for the same name, and its name as JSON.
  std::string weight(const std::string& name, const std::vector<int64_t>& shape, double bound = 0.5) {
    uint64_t seed = 7;
    for (const char c : name) seed = seed * 31 + uint64_t(c);
    int64_t size = 1;
    for (const int64_t axis : shape) size *= axis;
    return tensor(name, shape, random_numbers<T>(size, seed, bound));
  }
  std::string tensor(const std::string& name, const std::vector<int64_t>& shape,
                     const std::vector<T>& numbers) {
    std::string sizes;
    for (const int64_t axis : shape) sizes.append(sizes.empty() ? "" : ",").append(std::to_string(axis));
    const size_t begin = data_.size();
    data_.append(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(T));
    header_ += std::string(",\"") + name + "\":{\"dtype\":\"" + (sizeof(T) == 4 ? "F32" : "F64") +
               "\",\"shape\":[" + sizes + "],\"data_offsets\":[" + std::to_string(begin) + "," +
               std::to_string(data_.size()) + "]}";
    return std::string("\"") + name + "\"";
  }

  /// The file, with this JSON as the entry "weft" of its metadata.
  std::vector<std::byte> described(const std::string& description) const {
    std::string quoted;
    for (const char c : description)
      quoted += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    std::string header = "{\"__metadata__\":{\"weft\":\"" + quoted + "\"}" + header_ + "}";
    header.append((8 - header.size() % 8) % 8, ' ');
    const uint64_t length = header.size();
    std::vector<std::byte> file(8 + header.size() + data_.size());
    std::memcpy(file.data(), &length, 8);
    std::memcpy(file.data() + 8, header.data(), header.size());
    std::memcpy(file.data() + 8 + header.size(), data_.data(), data_.size());
    return file;
  }
  std::vector<std::byte> with_graph(const std::string& graph, int64_t context = 0) const {
    return described("{\"format\":1,\"graph\":" + graph + ",\"context\":" + std::to_string(context) + "}");
  }

 private:
  std::string header_, data_;
};

}  // namespace weft::test

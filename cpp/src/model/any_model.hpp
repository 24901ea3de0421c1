// A model of either precision, whichever its file has.
#pragma once

#include <variant>

#include "weft/model.hpp"

namespace weft {

using AnyModel = std::variant<Model, Model64>;

/// As BasicModel's load and parse.
AnyModel load_any_model(const std::string& path);
AnyModel parse_any_model(std::span<const std::byte> file);

}  // namespace weft

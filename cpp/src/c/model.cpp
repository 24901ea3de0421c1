// The C interface: models.
#include "src/c/model.hpp"

using namespace weft;

extern "C" {

weft_status weft_model_load(const char* path, weft_model** model) {
  return c::make_handle("model_load", "model", model, [&] {
    c::required("model_load", "path", path);
    return load_any_model(path);
  });
}

weft_status weft_model_parse(const void* file, size_t size, weft_model** model) {
  return c::make_handle("model_parse", "model", model, [&] {
    if (file == nullptr) fail("model_parse", "file must not be null");
    return parse_any_model({static_cast<const std::byte*>(file), size});
  });
}

void weft_model_free(weft_model* model) { delete model; }

weft_status weft_model_describe(const weft_model* model, weft_model_info* info) {
  const char* operation = "model_describe";
  return c::guarded([&] {
    std::visit(
        [&](const auto& m) {
          const weft_dtype dtype = std::is_same_v<decltype(m), const Model&> ? WEFT_FLOAT32 : WEFT_FLOAT64;
          c::write(operation, "info",
                   {sizeof(weft_model_info), dtype, m.takes_tokens(), m.inputs(), m.outputs(), m.context(),
                    m.obstacle().c_str()},
                   info);
        },
        c::required(operation, "model", model).model);
  });
}

const char* weft_model_unused_tensor(const weft_model* model, int64_t index) {
  if (model == nullptr || index < 0) return nullptr;
  const auto name_in = [&](const auto& m) {
    const std::vector<std::string>& names = m.unused_tensors();
    return uint64_t(index) < names.size() ? names[size_t(index)].c_str() : nullptr;
  };
  return std::visit(name_in, model->model);
}

}  // extern "C"

// The C interface: a model over whole sequences. Apart from its other functions, so that a program which only
// steps links no kernel of sequences.
#include "src/c/model.hpp"

using namespace weft;

extern "C" {

weft_status weft_model_run(const weft_model* model, const weft_run* call) {
  const char* operation = "model_run";
  return c::guarded([&] {
    const weft_model& handle = c::required(operation, "model", model);
    const weft_run a = c::read(operation, "call", call);
    c::check_call(operation, a.threads, a.reserved);
    const c::Views v{operation};
    const auto run = [&]<class T>(const BasicModel<T>& m) {
      if (m.takes_tokens())
        m.run(View<const int64_t, 2>(v("x", a.x)), v("y", a.y), v("lengths", a.lengths), a.threads);
      else
        m.run(View<const T, 3>(v("x", a.x)), v("y", a.y), v("lengths", a.lengths), a.threads);
    };
    std::visit(run, handle.model);
  });
}

}  // extern "C"

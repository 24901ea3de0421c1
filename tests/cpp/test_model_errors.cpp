// Files that are no models, or broken ones: each is refused by a sentence that says where and what.
#include <unistd.h>

#include <fstream>

#include "allocations.hpp"
#include "model_cases.hpp"
#include "weft/model.hpp"

using namespace weft::test;

namespace {

/// Loading the file fails, and the message has every one of `parts`.
void check_refused(const std::vector<std::byte>& file, const std::vector<std::string>& parts,
                   int line = __builtin_LINE()) {
  check_throws<weft::BadFile>([&] { weft::Model::parse(file); }, parts, __FILE__, line);
}
void check_refused(const ModelFile<float>& file, const std::string& graph,
                   const std::vector<std::string>& parts, int line = __builtin_LINE()) {
  check_refused(file.with_graph(graph), parts, line);
}

void test_descriptions() {
  ModelFile<float> f;
  const std::string graph = linear(f, "a", 3, 2);
  check_refused(f.described("{"), {"the entry \"weft\" of the metadata"});
  check_refused(f.described("[]"), {"load: graph (model): it must be an object, got []"});
  check_refused(f.described("{}"), {"there must be an entry \"format\""});
  check_refused(f.described("{\"format\":2}"), {"format must be 1"});
  check_refused(f.described("{\"format\":1}"), {"there must be an entry \"graph\""});
  check_refused(f.described("{\"format\":1,\"obstacle\":\"Dream has no native form\"}"),
                {"Dream has no native form"});
  const std::string long_words(100'000, 'x');
  try {
    weft::Model::parse(f.described("{\"format\":1,\"obstacle\":\"" + long_words + "\"}"));
  } catch (const weft::BadFile& error) {
    check(std::strlen(error.what()) < 1000, "a long obstacle, shortened");
  }
  check_refused(f.described("{\"format\":1,\"context\":-1,\"graph\":" + graph + "}"),
                {"context must be at least 0, got -1"});
  weft::Model::parse(f.described("{\"format\":1,\"model\":\"GPT\",\"config\":{},\"graph\":" + graph + "}"));
  check_throws<weft::BadFile>([&] { weft::Model64::parse(f.with_graph(graph)); },
                              {"load: graph (linear): weight must have dtype F64, got F32"});
  check(std::holds_alternative<weft::Model>(weft::parse_any_model(f.with_graph(graph))), "any model");
  ModelFile<double> doubles;
  check(std::holds_alternative<weft::Model64>(
            weft::parse_any_model(doubles.with_graph(linear(doubles, "a", 3, 2)))),
        "any model of doubles");
}

/// What a program finds in the error itself, without taking its words apart.
void test_error() {
  ModelFile<float> f;
  const std::string path = "/tmp/weft_test_model_errors." + std::to_string(getpid());
  std::ofstream(path, std::ios::binary) << "broken";
  const auto error = [&](const auto& load) {
    try {
      load();
    } catch (const weft::BadFile& thrown) {
      return weft::BadFile(thrown);  // outlives what was thrown
    }
    return weft::BadFile({}, {}, "nothing was refused");
  };
  const weft::BadFile broken = error([&] { weft::Model::load(path); });
  check(broken.path() == path && std::string(broken.reason()).starts_with("too short"), "a broken file");
  const std::vector<std::byte> no_model = f.with_graph("3");
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(no_model.data()), long(no_model.size()));
  const weft::BadFile loaded = error([&] { weft::load_any_model(path); });
  const weft::BadFile parsed = error([&] { weft::Model::parse(no_model); });
  check(loaded.path() == path && std::string(parsed.path()).empty(), "path");
  for (const weft::BadFile& refused : {loaded, parsed}) {
    check(std::string(refused.reason()) == "graph (unknown): it must be an object, got 3", refused.reason());
    check(std::string(refused.what()) == std::string("load: ") + refused.reason(), refused.what());
  }
  std::remove(path.c_str());
}

void test_nodes() {
  ModelFile<float> f;
  const std::string first = linear(f, "a", 3, 32);
  check_refused(f, "3", {"load: graph (unknown): it must be an object, got 3"});
  check_refused(f, "{}", {"there must be an entry \"op\""});
  check_refused(f, op("conv"), {"op must be one of sequential", "attention, got \"conv\""});
  check_refused(f, op(std::string(5000, 'x')), {"..."});
  check_refused(f, op("sequential"), {"load: graph (sequential): there must be an entry \"layers\""});
  check_refused(f, op("sequential", entry("layers", "{}")), {"load: graph (sequential): layers"});
  check_refused(f, sequential({first, op("swiglu", entry("size", "3"))}),
                {"load: layers.1 (swiglu): this version knows no entry \"size\""});
  check_refused(f, op("activation", entry("kind", "\"relu\"")), {"no layer says how many features come in"});
  check_refused(f, sequential({}), {"no layer says how many features come in"});
  check_refused(f, sequential({first, op("activation", entry("kind", "\"cosine\""))}),
                {"load: layers.1 (activation): kind must be one of relu, gelu", "got \"cosine\""});
  check_refused(f, residual(first),
                {"load: graph (residual): layer must give as many features as it takes, 3, got 32"});
  check_refused(f, sequential({first, op("embedding", entry("weight", f.weight("e", {4, 5})))}),
                {"load: layers.1 (embedding): an embedding must be the first layer"});
  check_refused(f, residual(op("embedding", entry("weight", f.weight("e2", {4, 5})))),
                {"load: graph (residual): it takes features, but tokens come in"});
  check_refused(f, sequential({linear(f, "odd", 3, 5), op("swiglu")}),
                {"even number of features, but 5 come in"});
  std::string deep = first;
  for (int i = 0; i < 200; ++i) deep = sequential({deep});
  check_refused(f, deep, {"64 levels"});
}

void test_weights() {
  ModelFile<float> f;
  const std::string first = linear(f, "a", 3, 32);
  check_refused(f, op("linear", entry("weight", "\"missing\"")),
                {"load: graph (linear): weight: the file has no tensor \"missing\""});
  check_refused(f, op("linear", entry("weight", "7")), {"load: graph (linear): weight"});
  check_refused(f, sequential({first, op("linear", entry("weight", f.weight("w", {10, 16})))}),
                {"load: layers.1 (linear): weight must be (O, I) = (?, 32), got (10, 16)"});
  check_refused(f, op("linear", entry("weight", f.weight("flat", {10}))),
                {"no layer says how many features come in"});
  check_refused(f, sequential({first, op("linear", entry("weight", f.weight("w3", {10, 32, 1})))}),
                {"weight must be (O, I) = (?, 32), got (10, 32, 1)"});
  check_refused(f, sequential({op("swiglu"), op("linear", entry("weight", f.weight("wide", {0, 1 << 30})))}),
                {"no layer says how many features come in"});
  ModelFile<float> huge;
  check_refused(huge, op("linear", entry("weight", huge.weight("huge", {0, INT64_MAX}))),
                {"tensor \"huge\": shape overflows 64-bit sizes"});
  check_refused(f, sequential({first, op("linear", entry("weight", f.weight("w0", {0, 32})))}),
                {"weight must be (O, I) = (?, 32), got (0, 32)"});
  check_refused(f,
                op("linear", entry("weight", f.weight("wb", {10, 16})) + entry("bias", f.weight("b", {16}))),
                {"bias must be (O,) = (10,), got (16,)"});
  check_refused(f, op("layer_norm", entry("size", "6") + entry("eps", "-1")),
                {"eps must be at least 0, got -1"});
  check_refused(f, op("layer_norm", entry("size", "6") + entry("eps", "1e999")), {"eps"});
  check_refused(f, op("layer_norm", entry("size", "-6") + entry("eps", "0")),
                {"size must be at least 1, got -6"});
  check_refused(f, sequential({first, op("layer_norm", entry("size", "31") + entry("eps", "0"))}),
                {"load: layers.1 (layer_norm): size must be 32, the features that come in, got 31"});
  const auto norm = [](const char* size) {
    return op("layer_norm", entry("size", size) + entry("eps", "0"));
  };
  check_refused(f, norm("1099511627777"), {"size must be at most 1099511627776, got 1099511627777"});
  check_refused(f, sequential({op("swiglu"), norm("1099511627776")}),
                {"it takes 2199023255552 features, more than all weights have elements"});
}

void test_recurrent() {
  ModelFile<float> f;
  const auto cell = [&](const std::string& name, int64_t rows, int64_t columns,
                        const std::string& more = "") {
    const std::string id = name + std::to_string(rows) + "," + std::to_string(columns) + more.substr(0, 9);
    return op("recurrent", entry("cell", quoted(name)) +
                               entry("w_ih", f.weight(id.substr(0, id.find('"')) + "i", {rows, 3})) +
                               entry("w_hh", f.weight(id.substr(0, id.find('"')) + "h", {rows, columns})) +
                               more);
  };
  check_refused(f, cell("lstn", 8, 2), {"cell must be one of rnn_tanh", "got \"lstn\""});
  check_refused(f, cell("lstm", 9, 2), {"w_ih must have 4H rows, a multiple of 4, got 9"});
  check_refused(f, cell("gru", 9, 2), {"w_hh must be (3H, H) = (9, 3), got (9, 2)"});
  check_refused(f, cell("lstm_peephole", 8, 2), {"cell lstm_peephole must have extra"});
  check_refused(f, cell("gru", 6, 2, entry("extra", f.weight("x", {3, 2}))), {"cell gru takes no extra"});
  check_refused(f, cell("gru", 12, 4, entry("w_proj", f.weight("p", {2, 4}))), {"cell gru takes no w_proj"});
  check_refused(f, cell("lstm", 16, 2, entry("w_proj", f.weight("p5", {5, 4}))),
                {"fewer rows than H = 4, got 5"});
  check_refused(f, cell("gru", 15, 5, entry("zoneout", "1")), {"zoneout must be in [0, 1), got 1"});
  const std::string bent = op("activation", entry("kind", "\"relu\""));
  check_refused(f,
                sequential({linear(f, "a", 3, 4),
                            op("bidirectional", entry("forwards", bent) + entry("backwards", bent))}),
                {"load: layers.1 (bidirectional): forwards and backwards must each have a recurrent layer"});
}

void test_attention() {
  ModelFile<float> f;
  const auto attend = [&](int64_t heads, int64_t kv_heads, const std::string& more) {
    return op("attention", entry("heads", std::to_string(heads)) +
                               entry("kv_heads", std::to_string(kv_heads)) + entry("in_weight", "\"in\"") +
                               entry("out_weight", "\"out\"") + entry("causal", "true") + more);
  };
  f.weight("in", {24, 8});
  f.weight("out", {8, 8});
  const auto rotary = [](const std::string& dim, const std::string& base) {
    return entry("positions",
                 "{\"kind\":\"rotary\",\"dim\":" + dim + ",\"base\":" + base + ",\"interleaved\":true}");
  };
  weft::Model::parse(f.with_graph(attend(2, 2, rotary("4", "10"))));
  check_refused(f, attend(0, 1, ""), {"heads must be at least 1, got 0"});
  check_refused(f, attend(3, 2, ""), {"kv_heads must divide heads = 3, got 2"});
  check_refused(f, attend(5, 5, ""), {"in_weight must have (N + 2K) D rows", "got 24"});
  check_refused(f, attend(int64_t(1) << 62, int64_t(1) << 62, ""), {"in_weight must have (N + 2K) D rows"});
  check_refused(f, attend(4, 1, ""), {"out_weight must be (E, N D) = (?, 16), got (8, 8)"});
  check_refused(f, attend(2, 2, entry("window", "[1]")), {"window must be two numbers, each at least -1"});
  check_refused(f, attend(2, 2, entry("window", "[-2,0]")), {"window must be two numbers, each at least -1"});
  check_refused(f, attend(2, 2, rotary("3", "10")), {"dim must be even and at most D = 4, got 3"});
  check_refused(f, attend(2, 2, rotary("6", "10")), {"dim must be even and at most D = 4, got 6"});
  check_refused(f, attend(2, 2, rotary("4", "0")), {"base must be above 0, got 0"});
  check_refused(f, attend(2, 2, entry("positions", "{\"kind\":\"polar\"}")),
                {"kind must be one of rotary, alibi"});
  check_refused(f, attend(2, 2, entry("positions", "{\"kind\":\"alibi\",\"slope\":1}")),
                {"no entry \"slope\""});
  const auto relative = [&](int64_t buckets, int64_t heads, int64_t distance) {
    const std::string name =
        "r" + std::to_string(buckets) + "," + std::to_string(heads) + "," + std::to_string(distance);
    return entry("positions", "{\"kind\":\"relative\",\"weight\":" + f.weight(name, {buckets, heads}) +
                                  ",\"max_distance\":" + std::to_string(distance) +
                                  ",\"bidirectional\":true}");
  };
  check_refused(f, attend(2, 2, relative(8, 3, 20)),
                {"positions.weight must be (R, N) = (?, 2), got (8, 3)"});
  check_refused(f, attend(2, 2, relative(8, 2, 2)), {"max_distance must be above half of the 4 buckets"});
  check_refused(f, attend(2, 2, relative(2, 2, 9)), {"max_distance must be above half of the 1 buckets"});
  weft::Model::parse(
      f.with_graph(attend(2, 2, entry("window", "[9223372036854775807,9223372036854775807]"))));
}

/// Many nodes of few weights, and few of many, take memory in proportion to the file.
void test_memory() {
  const auto check_memory = [](const std::string& what, const ModelFile<float>& f,
                               const std::vector<std::string>& layers) {
    const std::vector<std::byte> file = f.with_graph(sequential(layers));
    const auto check_bytes = [&](size_t bytes, size_t times) {
      check(bytes < times * file.size(),
            what + ": " + std::to_string(bytes) + " bytes for a file of " + std::to_string(file.size()));
    };
    check_bytes(allocations_of([&] { weft::Model::parse(file); }).bytes, 8);
    const weft::Model model = weft::Model::parse(file);
    check_bytes(allocations_of([&] { weft::Stream{model}; }).bytes, 8);
  };
  ModelFile<float> f, small, biased;
  const std::string large = linear(f, "a", 300, 300);
  check_memory("one large layer", f, {large});
  check_memory("one layer a thousand times", f, std::vector<std::string>(1000, large));
  std::vector<std::string> layers(10000, op("activation", entry("kind", "\"relu\"")));
  layers.insert(layers.begin(), linear(small, "a", 2, 2));
  check_memory("many small ones", small, layers);
  layers.clear();
  const std::string weight = biased.weight("weight", {300, 300});
  for (int i = 0; i < 1000; ++i) {
    const std::string bias = biased.weight(std::to_string(i), {300});
    layers.push_back(op("linear", entry("weight", weight) + entry("bias", bias)));
  }
  const weft::Model model = weft::Model::parse(biased.with_graph(sequential(layers)));
  check_invalid([&] { weft::Stream{model}; }, {"Stream: model shares its weights among so many layers"});
}

/// What a small file says of its context and its layers takes no gigabytes before somebody asks for them.
void test_default_capacity() {
  ModelFile<float> f;
  const std::string attention =
      op("attention", entry("heads", "1") + entry("kv_heads", "1") +
                          entry("in_weight", f.weight("i", {48, 16})) +
                          entry("out_weight", f.weight("o", {16, 16})) + entry("causal", "true"));
  const weft::Model model =
      weft::Model::parse(f.with_graph(sequential(std::vector<std::string>(500, attention)), 1 << 24));
  const size_t allocated =
      allocations_of([&] {
        check_throws<std::bad_alloc>(
            [&] { weft::Stream{model}; },
            {"Stream: capacity must be given: the default of 65536 steps would take", "MB"});
      }).bytes;
  check(allocated < 64 << 20, "refused before it is allocated");
  check(weft::Stream(model, 4200).bytes() > 256 << 20, "what is asked for is given");
  ModelFile<float> recurrent;
  const std::string rnn =
      op("recurrent", entry("cell", "\"rnn_tanh\"") + entry("w_ih", recurrent.weight("w", {256, 256})) +
                          entry("w_hh", "\"w\""));
  const weft::Model states =
      weft::Model::parse(recurrent.with_graph(sequential(std::vector<std::string>(70'000, rnn))));
  check_invalid([&] { weft::Stream{states}; },
                {"Stream: model shares its weights among so many layers that their states"});
}

/// Whatever single byte of a description is changed: a model or an error, and never a crash.
void test_changed_bytes() {
  for (const ModelCase<float>& c : model_cases<float>()) {
    ModelFile<float> f;
    const std::string graph = c.graph(f);
    const std::vector<std::byte> whole = f.with_graph(graph);
    for (size_t i = 8; i < 8 + graph.size(); i += 3)
      for (const char changed : {'0', '"', '{', ']', '-', ',', 'e'}) {
        std::vector<std::byte> file = whole;
        file[i] = std::byte(changed);
        try {
          const weft::Model model = weft::Model::parse(file);
          if (model.obstacle().empty()) weft::Stream{model, 4};
        } catch (const weft::BadFile&) {
        } catch (const weft::BadArgument&) {
        }
      }
  }
}

}  // namespace

int main() {
  test_descriptions();
  test_error();
  test_nodes();
  test_weights();
  test_recurrent();
  test_attention();
  test_memory();
  test_default_capacity();
  test_changed_bytes();
  return failures();
}

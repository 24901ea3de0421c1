// Attention against plain loops in double. What else it can do, the Python tests show.
#include "attention_call.hpp"

using namespace weft::test;

namespace {

template <class T>
void test_size(const AttentionSize& size) {
  const auto compute = [&] {
    AttentionCall<T> call(size);
    call.forward();
    call.backward();
    return call.results();
  };
  check_everywhere<T>(compute, attention_reference<T>(size), sizeof(T) == 4 ? 2e-6 : 1e-14, "attention");
}

template <class T>
void test_all() {
  test_size<T>({1, 1, 1, 1, 1, 1, 1});
  test_size<T>({2, 3, 3, 5, 7, 4, 6});
  test_size<T>({2, 4, 2, 33, 65, 17, 9});
  test_size<T>({1, 2, 1, 150, 300, 64, 64});
  test_size<T>({1, 2, 2, 130, 130, 24, 24, -1, 0});
  test_size<T>({2, 2, 2, 70, 90, 24, 24, 13, 0, true});
  test_size<T>({3, 2, 1, 1, 200, 32, 32, -1, 0, true, 0, {200, 0, 77}});
  test_size<T>({2, 2, 1, 40, 50, 16, 16, 6, 3, false, 0.7, {50, 21}});
  test_size<T>({1, 2, 2, 0, 4, 3, 3});
  test_size<T>({1, 2, 2, 4, 0, 3, 3});
}

void test_errors() {
  AttentionCall<float> call({2, 4, 2, 3, 5, 8, 8});
  auto& arguments = call.arguments();
  const auto q = arguments.q, k = arguments.k;
  arguments.k.shape[3] = 7;
  check_invalid([&] { call.forward(); }, {"sdpa: k must be (B, Nk, S, D) = (2, 2, 5, 8), got (2, 2, 5, 7)"});
  arguments.k = k;
  arguments.q.shape[1] = 3;
  check_invalid([&] { call.forward(); }, {"sdpa: ", "3", "2"});
  arguments.q = q;
  const int64_t lengths[] = {5, 6};
  arguments.kv_lengths = {lengths, {2}};
  check_invalid([&] { call.forward(); }, {"sdpa: kv_lengths", "6"});
  arguments.kv_lengths = {};
  float numbers[64] = {};
  const weft::View<float, 4> one_number(numbers, {2, 4, 3, 1}), apart(numbers, {2, 4, 3, 2}, {32, 8, 2, 1});
  const weft::View<float, 4> out(numbers, {2, 4, 3, 8});
  check_invalid([&] { weft::attention_forward<float>({arguments, out, one_number}); },
                {"sdpa: normalizer must be (B, N, T, 2) = (2, 4, 3, 2), got (2, 4, 3, 1)"});
  check_invalid([&] { weft::attention_forward<float>({arguments, out, apart}); },
                {"sdpa: normalizer", "contiguous"});
  arguments.dropout = 1;
  check_invalid([&] { call.backward(); }, {"sdpa: dropout must be in [0, 1), got 1"});
}

}  // namespace

int main() {
  test_all<float>();
  test_all<double>();
  test_errors();
  return failures();
}

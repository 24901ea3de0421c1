// Errors of the C interface, and its structs of other versions.
#include "src/c/call.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "src/runtime/out_of_memory.hpp"

namespace weft::c {
namespace {

// A fixed size: saying that memory has run out takes none.
thread_local char last_error[1024] = "";

weft_status remember(weft_status status, const char* text) noexcept {
  size_t length = std::strlen(text);
  if (length >= sizeof last_error) {
    length = sizeof last_error - 1;
    while (length > 0 && (text[length] & 0xC0) == 0x80) --length;  // no character of UTF-8 is cut in two
  }
  std::memmove(last_error, text, length);
  last_error[length] = '\0';
  return status;
}

/// The size that a caller's struct begins with.
size_t struct_size(const char* operation, const char* argument, const void* given) {
  if (given == nullptr) fail(operation, std::string(argument) + " must not be null");
  size_t size;
  std::memcpy(&size, given, sizeof size);
  constexpr size_t most = 1 << 16;  // no struct will be that large: what lies there has never been set
  if (size < sizeof size || size > most)
    fail(operation, std::string(argument) + "->struct_size must be the size of the struct, got " +
                        std::to_string(size) + ": make it with WEFT_INIT");
  return size;
}

}  // namespace

weft_status failure() noexcept {
  try {
    throw;
  } catch (const BadArgument& error) {
    return remember(WEFT_INVALID_ARGUMENT, error.what());
  } catch (const OutOfMemory& error) {
    return remember(WEFT_OUT_OF_MEMORY, error.what());
  } catch (const std::bad_alloc&) {
    return remember(WEFT_OUT_OF_MEMORY, "out of memory");
  } catch (const std::length_error&) {  // more elements than a container can ever have
    return remember(WEFT_OUT_OF_MEMORY, "out of memory");
  } catch (const BadFile& error) {
    return remember(WEFT_BAD_FILE, error.what());
  } catch (const std::exception& error) {
    return remember(WEFT_INTERNAL_ERROR, error.what());
  } catch (...) {
    return remember(WEFT_INTERNAL_ERROR, "unknown error");
  }
}

void read_struct(const char* operation, const char* argument, const void* given, void* copy, size_t size) {
  const size_t given_size = struct_size(operation, argument, given);
  const char* bytes = static_cast<const char*>(given);
  if (given_size > size && std::any_of(bytes + size, bytes + given_size, [](char byte) { return byte != 0; }))
    fail(operation, std::string(argument) + " has fields that version " + WEFT_VERSION +
                        " of weft does not know, and they are not zero");
  std::memset(copy, 0, size);
  std::memcpy(copy, given, std::min(size, given_size));
}

void write_struct(const char* operation, const char* argument, const void* from, void* given, size_t size) {
  const size_t given_size = struct_size(operation, argument, given), first = sizeof(size_t);
  char* bytes = static_cast<char*>(given);
  std::memset(bytes + first, 0, given_size - first);
  std::memcpy(bytes + first, static_cast<const char*>(from) + first, std::min(size, given_size) - first);
}

void check_call(const char* operation, int32_t threads, int32_t reserved) {
  if (threads < 0) fail(operation, "threads must be at least 0, got " + std::to_string(threads));
  if (reserved != 0) fail(operation, "reserved must be 0, got " + std::to_string(reserved));
}

void fail_dtype(const char* operation, weft_dtype dtype) {
  fail(operation, "dtype must be WEFT_FLOAT32 = 0 or WEFT_FLOAT64 = 1, got " + std::to_string(dtype));
}

void* check_memory(const char* operation, const char* argument, void* memory, size_t bytes, size_t needed) {
  if (needed > 0 && memory == nullptr)
    fail(operation,
         std::string(argument) + " must have at least " + std::to_string(needed) + " bytes, got null");
  if (bytes < needed)
    fail(operation, std::string(argument) + " must have at least " + std::to_string(needed) + " bytes, got " +
                        std::to_string(bytes));
  if (reinterpret_cast<uintptr_t>(memory) % 64 != 0)
    fail(operation, std::string(argument) + " must be 64-byte aligned");
  return memory;
}

}  // namespace weft::c

extern "C" {

const char* weft_last_error(void) { return weft::c::last_error; }

const char* weft_status_text(weft_status status) {
  switch (status) {
    case WEFT_OK:
      return "ok";
    case WEFT_FULL:
      return "the stream's capacity is used up";
    case WEFT_WRONG_INPUT:
      return "not the kind of input that the model takes";
    case WEFT_BAD_TOKEN:
      return "a token outside of the vocabulary";
    case WEFT_INVALID_ARGUMENT:
      return "invalid argument";
    case WEFT_BAD_FILE:
      return "not a model's file";
    case WEFT_OUT_OF_MEMORY:
      return "out of memory";
    case WEFT_INTERNAL_ERROR:
      return "internal error";
    default:
      return "unknown status";
  }
}

}  // extern "C"

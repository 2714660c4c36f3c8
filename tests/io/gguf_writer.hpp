// Builds small GGUF files for tests.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace mor1e::testing {

/// Collects metadata and tensors; `content()` is the file. Kinds are the numbers of the format.
class gguf_writer {
 public:
  explicit gguf_writer(std::uint32_t version = 3) : version_(version) {}

  template <class T>
  static std::string raw(T value) {
    std::string out(sizeof(T), '\0');
    std::memcpy(out.data(), &value, sizeof(T));
    return out;
  }
  static std::string raw_text(std::string_view value) { return raw<std::uint64_t>(value.size()).append(value); }

  /// A value of any kind, its bytes given.
  gguf_writer& value(std::string_view key, std::uint32_t kind, const std::string& bytes) {
    metadata_ += raw_text(key) + raw(kind) + bytes;
    ++values_;
    return *this;
  }
  gguf_writer& text(std::string_view key, std::string_view value) { return this->value(key, 8, raw_text(value)); }
  gguf_writer& u32(std::string_view key, std::uint32_t value) { return this->value(key, 4, raw(value)); }
  gguf_writer& f32(std::string_view key, float value) { return this->value(key, 6, raw(value)); }
  gguf_writer& array(std::string_view key, std::uint32_t element, std::uint64_t count, const std::string& bytes) {
    return value(key, 9, raw(element) + raw(count) + bytes);
  }

  /// A tensor; `dims` in the order of the file (columns first), the data as it is stored.
  gguf_writer& tensor(std::string_view name, const std::vector<std::uint64_t>& dims, std::uint32_t type,
                      const std::string& bytes) {
    data_.resize((data_.size() + 31) / 32 * 32);
    describe(name, dims, type, data_.size());
    data_ += bytes;
    return *this;
  }
  /// An F32 tensor of these values.
  gguf_writer& floats(std::string_view name, const std::vector<std::uint64_t>& dims, const std::vector<float>& values) {
    return tensor(name, dims, 0, std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4));
  }
  /// The description alone, with any offset.
  gguf_writer& describe(std::string_view name, const std::vector<std::uint64_t>& dims, std::uint32_t type,
                        std::uint64_t offset) {
    descriptions_ += raw_text(name) + raw(std::uint32_t(dims.size()));
    for (const std::uint64_t dim : dims) descriptions_ += raw(dim);
    descriptions_ += raw(type) + raw(offset);
    ++tensors_;
    return *this;
  }

  std::string content() const {
    std::string out = "GGUF" + raw(version_) + raw(tensors_) + raw(values_) + metadata_ + descriptions_;
    if (!data_.empty()) out.resize((out.size() + 31) / 32 * 32);
    return out + data_;
  }
  void write(const std::filesystem::path& path) const { std::ofstream(path, std::ios::binary) << content(); }

 private:
  std::uint32_t version_;
  std::uint64_t tensors_ = 0, values_ = 0;
  std::string metadata_, descriptions_, data_;
};

}  // namespace mor1e::testing

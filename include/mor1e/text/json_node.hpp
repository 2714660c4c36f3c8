// A place in a JSON file that knows its name: every complaint says which file and which field. For `.ipp` files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/core/error.hpp"
#include "mor1e/io/json_fields.hpp"

namespace mor1e::texts::detail {

/// Every accessor throws `io_error` naming file and field if the value is not of the type asked for.
class json_node {
 public:
  json_node(const nlohmann::json& value, std::string file, std::string field = "")
      : value_(&value), file_(std::move(file)), field_(std::move(field)) {}

  /// A member that must be there.
  json_node operator[](std::string_view key) const {
    if (!has_member(key)) fail(text("lacks the field '", key, "'"));
    return {*value_->find(key), file_, field_.empty() ? std::string(key) : text(field_, ".", key)};
  }
  /// Whether a member is there and not null.
  bool has(std::string_view key) const { return has_member(key) && !value_->find(key)->is_null(); }

  std::string string() const {
    if (!value_->is_string()) fail("is not a string");
    return value_->get<std::string>();
  }
  std::int64_t integer() const {
    if (!value_->is_number_integer()) fail("is not an integer");
    return value_->get<std::int64_t>();
  }
  std::int32_t id() const {
    const std::int64_t value = integer();
    if (value < 0 || value >= io::largest_size) fail(text("is no token id: ", value));
    return static_cast<std::int32_t>(value);
  }
  bool flag() const {
    if (!value_->is_boolean()) fail("is neither true nor false");
    return value_->get<bool>();
  }
  bool flag(std::string_view key, bool otherwise) const { return has(key) ? (*this)[key].flag() : otherwise; }
  std::string string(std::string_view key, std::string otherwise) const {
    return has(key) ? (*this)[key].string() : otherwise;
  }

  /// The elements of an array.
  std::vector<json_node> elements() const {
    if (!value_->is_array()) fail("is not an array");
    std::vector<json_node> out;
    out.reserve(value_->size());
    for (std::size_t i = 0; i < value_->size(); ++i) out.emplace_back((*value_)[i], file_, text(field_, "[", i, "]"));
    return out;
  }
  /// Calls `visit(key, node)` for the members of an object.
  template <class Visit>
  void members(Visit visit) const {
    if (!value_->is_object()) fail("is not an object");
    for (const auto& [key, value] : value_->items()) visit(key, json_node(value, file_, text(field_, ".", key)));
  }

  bool is_string() const { return value_->is_string(); }
  bool is_array() const { return value_->is_array(); }
  const std::string& file() const { return file_; }

  [[noreturn]] void fail(std::string_view why) const {
    throw io_error(text(file_, ": ", field_.empty() ? "the file" : field_, " ", why));
  }

 private:
  bool has_member(std::string_view key) const { return value_->is_object() && value_->contains(key); }

  const nlohmann::json* value_;
  std::string file_;
  std::string field_;
};

}  // namespace mor1e::texts::detail

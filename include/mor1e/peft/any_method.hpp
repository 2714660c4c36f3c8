// A method of any type, as programs and files handle it.
#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeindex>
#include <utility>
#include <vector>

#include "mor1e/core/config.hpp"
#include "mor1e/core/error.hpp"
#include "mor1e/peft/description.hpp"
#include "mor1e/peft/method.hpp"
#include "mor1e/peft/method_cost.hpp"

namespace mor1e::peft {

// What a method adds to be known by name. Optional:
//   presets()      static, its names with their hyperparameters; one that is called as its label without
//   peft_type      static, of its folders: the label in capitals without
//   marker         static, a key that is true in its folders and tells it from another of the same type
//   peft_layout    static, true: a folder is a LoRA of PEFT's, with all of PEFT's keys
//   rescale(f)     multiplies the scale of the update
//   size()         of it, in words: "7 experts of rank 4"
//   settle()       called when options have been set: brings those that say the same into one form
template <class M>
concept HasLabel = requires {
  { M::label } -> std::convertible_to<std::string_view>;
};
namespace detail {
struct any_visitor {
  template <class Member>
  void operator()(Member&, const field&) const {}
};
}  // namespace detail
template <class M>
concept HasFields = requires(M& m, detail::any_visitor f) {
  m.fields(f);
};

/// What holds for all methods of a type.
struct method_description {
  std::string label;
  std::string peft_type;
  std::string marker;  ///< empty: none
  bool peft_layout = false;
  bool has_experts = false;
};

namespace detail {

/// A method without its type.
class held_method {
 public:
  virtual ~held_method() = default;
  virtual std::unique_ptr<held_method> clone() const = 0;
  virtual std::type_index type() const = 0;
  virtual bool equals(const held_method& other) const = 0;
  virtual const void* address() const = 0;

  virtual method_description description() const = 0;
  virtual std::vector<described_field> fields() const = 0;
  virtual void set(std::string_view key, const field_value& value) = 0;
  virtual void settle() = 0;

  virtual index_t update_rank() const = 0;
  virtual index_t down_rows() const = 0;
  virtual double scale() const = 0;
  virtual void rescale(double factor) = 0;
  virtual std::string size() const = 0;
  virtual method_needs needs() const = 0;
  virtual void check(index_t inputs) const = 0;
  virtual method_cost cost_on(std::int64_t inputs, std::int64_t outputs) const = 0;
};

template <class M>
class held_as;

}  // namespace detail

/// A value: copied with what it holds, compared by it. From any method that has label, fields and ==.
class any_method {
 public:
  template <class M>
  requires(!std::same_as<M, any_method>) any_method(M method)
      : held_(std::make_unique<detail::held_as<M>>(std::move(method))) {
    static_assert(Method<M>, "a method needs update_rank(), router_rows(), scale() and own_parameters()");
    static_assert(HasLabel<M>, "a method that is known by name needs `static constexpr const char* label`");
    static_assert(HasFields<M>, "a method that is known by name needs `template <class F> void fields(F f)`");
    static_assert(std::equality_comparable<M>, "a method that is known by name needs operator==");
  }
  any_method(const any_method& other) : held_(other.held_->clone()) {}
  any_method(any_method&&) = default;
  any_method& operator=(any_method other) {
    held_ = std::move(other.held_);
    return *this;
  }
  friend bool operator==(const any_method& a, const any_method& b) {
    return a.type() == b.type() && a.held_->equals(*b.held_);
  }

  std::type_index type() const { return held_->type(); }
  /// The method, if it is an M; else null.
  template <class M>
  const M* get_if() const {
    return type() == typeid(M) ? static_cast<const M*>(held_->address()) : nullptr;
  }
  template <class M>
  M* get_if() {
    return const_cast<M*>(std::as_const(*this).template get_if<M>());
  }
  /// The method, which is an M. Throws `value_error` if it is none.
  template <class M>
  const M& as() const {
    require<value_error>(get_if<M>(), "the method is ", label(), ", not ", M::label);
    return *get_if<M>();
  }
  template <class M>
  M& as() {
    return const_cast<M&>(std::as_const(*this).template as<M>());
  }

  method_description description() const { return held_->description(); }
  std::string label() const { return description().label; }
  /// Its hyperparameters. Which have an option may depend on the values of others.
  std::vector<described_field> fields() const { return held_->fields(); }
  /// Sets the hyperparameter of that key; the value has the alternative that `fields` gives it.
  void set(std::string_view key, const field_value& value) { held_->set(key, value); }
  void settle() { held_->settle(); }

  index_t update_rank() const { return held_->update_rank(); }
  index_t down_rows() const { return held_->down_rows(); }
  double scale() const { return held_->scale(); }
  /// Multiplies the scale of the update. Throws `value_error` for a method whose scale is fixed.
  void rescale(double factor) { held_->rescale(factor); }
  std::string size() const { return held_->size(); }
  method_needs needs() const { return held_->needs(); }
  void check(index_t inputs) const { held_->check(inputs); }
  /// What it costs on one linear.
  method_cost cost_on(std::int64_t inputs, std::int64_t outputs) const { return held_->cost_on(inputs, outputs); }

 private:
  std::unique_ptr<detail::held_method> held_;
};

/// The hyperparameter of that key. Throws `value_error` if the method has none.
template <class Value>
Value value_of(const any_method& method, std::string_view key) {
  for (const described_field& f : method.fields())
    if (f.about.key == key) return std::get<Value>(f.value);
  throw value_error(text(method.label(), " has no '", key, "'"));
}

namespace detail {

template <class M>
class held_as final : public held_method {
 public:
  explicit held_as(M method) : method_(std::move(method)) {}

  std::unique_ptr<held_method> clone() const override { return std::make_unique<held_as>(method_); }
  std::type_index type() const override { return typeid(M); }
  bool equals(const held_method& other) const override { return method_ == *static_cast<const M*>(other.address()); }
  const void* address() const override { return &method_; }

  method_description description() const override {
    method_description out{.label = M::label, .peft_type = {}, .marker = {}};
    for (const char c : out.label) out.peft_type += c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c;
    if constexpr (requires { M::peft_type; }) out.peft_type = M::peft_type;
    if constexpr (requires { M::marker; }) out.marker = M::marker;
    if constexpr (requires { M::peft_layout; }) out.peft_layout = M::peft_layout;
    out.has_experts = method_traits<M>::has_experts;
    return out;
  }
  std::vector<described_field> fields() const override {
    std::vector<described_field> out;
    M copy = method_;
    copy.fields([&](auto& member, const field& about) { out.push_back({about, value_of(member)}); });
    return out;
  }
  void set(std::string_view key, const field_value& value) override {
    method_.fields([&](auto& member, const field& about) {
      if (about.key == key) assign(member, value);
    });
  }
  void settle() override {
    if constexpr (requires { method_.settle(); }) method_.settle();
  }

  index_t update_rank() const override { return method_.update_rank(); }
  index_t down_rows() const override { return method_traits<M>::down_rows(method_); }
  double scale() const override { return method_.scale(); }
  void rescale(double factor) override {
    if constexpr (requires { method_.rescale(factor); })
      method_.rescale(factor);
    else
      require<value_error>(factor == 1, M::label, ": the scale of its update is fixed");
  }
  std::string size() const override {
    if constexpr (requires { method_.size(); })
      return method_.size();
    else
      return text("rank ", method_.update_rank());
  }
  method_needs needs() const override { return method_traits<M>::needs(method_); }
  void check(index_t inputs) const override { method_traits<M>::check(method_, inputs); }
  method_cost cost_on(std::int64_t inputs, std::int64_t outputs) const override {
    return peft::cost_on(method_, inputs, outputs);
  }

 private:
  M method_;
};

}  // namespace detail

}  // namespace mor1e::peft

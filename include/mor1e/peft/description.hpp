// How a method describes itself to programs and files: its fields and its presets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace mor1e::peft {

/// The values that an option takes. A file may also hold 0, which is off, of all but `size`.
enum class accepts : std::uint8_t {
  anything,
  size,          ///< a whole number from 1 on that parameters are made by; together they are limited
  count,         ///< a whole number from 1 on
  positive,      ///< a number above 0
  not_negative,  ///< a number from 0 on
  rate,          ///< in [0, 1)
  fraction       ///< in [0, 1]
};

/// How adapter_config.json holds a field.
enum class stored : std::uint8_t {
  always,
  later,     ///< always by now; an adapter of before lacks it and has the default
  when_set,  ///< unless it is 0
  constant   ///< the one value that we compute with; another is refused
};

/// A hyperparameter by its names. `M::fields(f)` calls f(member, field) for each; members are bool, int, double, or an
/// enum whose names `names_of(value)` gives.
struct field {
  const char* key;               ///< in adapter_config.json
  const char* option = nullptr;  ///< of the programs; without one it is C++'s alone. Of a bool "--no-..." switches off
  const char* help = "";
  accepts takes = accepts::anything;
  stored kept = stored::always;
  int least = 0;                  ///< not 0: the least that matching of parameter counts may choose
  const char* part_of = nullptr;  ///< key of the number that this is a part of: matching keeps the ratio
  double default_rate = 0;  ///< not 0: a factor on the learning rate, which the option gives as a rate; this one unless
  bool of_training = false;  ///< changes neither what is trained nor what it costs
};

/// A value of an enum, with the names of all of them; an empty name is no choice.
struct choice {
  std::span<const std::string_view> names;
  std::size_t index = 0;

  friend bool operator==(const choice& a, const choice& b) { return a.index == b.index; }
};
using field_value = std::variant<bool, int, double, choice>;

/// A field with its value in a method.
struct described_field {
  field about;
  field_value value;
};

/// A method as it is known by name.
template <class M>
struct preset_of {
  const char* name;
  M method;
  std::vector<std::string> targets;  ///< see `attach`; empty: every linear but the head

  preset_of(const char* name, M method = {}, std::vector<std::string> targets = {})
      : name(name), method(std::move(method)), targets(std::move(targets)) {}
};

namespace detail {

template <class Enum>
inline constexpr auto enum_names = names_of(Enum{});

template <class Member>
field_value value_of(const Member& member) {
  if constexpr (std::is_enum_v<Member>)
    return choice{enum_names<Member>, std::size_t(member)};
  else
    return member;
}
/// Nothing for a constant.
template <class Member>
void assign(Member& member, const field_value& value) {
  if constexpr (std::is_enum_v<Member>)
    member = Member(std::get<choice>(value).index);
  else if constexpr (!std::is_const_v<Member>)
    member = std::get<Member>(value);
}

}  // namespace detail

}  // namespace mor1e::peft

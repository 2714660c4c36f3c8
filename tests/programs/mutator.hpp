// Files spoilt in ways that disks, editors and people spoil them, the same for the same seed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mor1e/core/rng.hpp"

namespace mor1e::testing {

/// A copy of `content` with one to three changes of bytes: bits, bytes, cuts, insertions, doubled and exchanged
/// stretches, and numbers and words of JSON replaced by hostile ones.
inline std::string mutated_bytes(const std::string& content, std::uint64_t seed) {
  rng random(stream_key(0x6d757461, seed));
  std::string out = content;
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : std::size_t(random.uniform() * double(n)) % n; };
  const auto pick = [&](const auto& list) { return std::string(list[below(std::size(list))]); };
  const auto span = [&](std::size_t& begin, std::size_t& length) {
    begin = below(out.size());
    length = std::min(1 + below(below(8) == 0 ? out.size() : 16), out.size() - begin);
  };
  const auto hostile_number = [&] {
    constexpr const char* numbers[] = {"-1",        "0",  "1",    "4294967336",           "2147483648", "0.5",
                                       "1e308",     "-0", "1e-9", "99999999999999999999", "1e999",      "16777217",
                                       "268435455", "7",  "40.0", "9223372036854775807",  "null",       "\"8\""};
    return pick(numbers);
  };
  const auto hostile_text = [&]() -> std::string {
    const std::string deep(2000, '['), quotes(300, '"');
    const std::string texts[] = {std::string(1, '\0'),
                                 "\xff\xfe",
                                 deep,
                                 "{\"a\":1,\"a\":2}",
                                 quotes,
                                 "null",
                                 "\n",
                                 "\\u0000",
                                 "\\ud800",
                                 "true",
                                 "[]",
                                 "{}",
                                 "\"\"",
                                 ",",
                                 "}",
                                 "NaN",
                                 "../x",
                                 std::string(400, 'x')};
    return texts[below(std::size(texts))];
  };
  for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
    std::size_t begin = 0, length = 0;
    switch (below(10)) {
      case 0:
        if (!out.empty()) out[below(out.size())] ^= char(1 << below(8));
        break;
      case 1:
        if (!out.empty()) out[below(out.size())] = char(below(256));
        break;
      case 2: out.resize(below(out.size() + 1)); break;
      case 3: span(begin, length), out.erase(begin, length); break;
      case 4: span(begin, length), out.insert(below(out.size() + 1), out.substr(begin, length)); break;
      case 5: out.insert(below(out.size() + 1), hostile_text()); break;
      case 6: {  // an integer of a binary format
        constexpr std::uint64_t values[] = {0,          1,   ~0ull,         1ull << 31, 1ull << 62,
                                            1ull << 63, 255, 4294967295ull, 1000000007};
        const std::uint64_t value = values[below(std::size(values))];
        const std::size_t bytes = below(2) ? 8 : 4;
        // Most of what counts stands at the beginning.
        const std::size_t at = below(below(2) ? out.size() : std::min<std::size_t>(out.size(), 256));
        if (at + bytes <= out.size()) out.replace(at, bytes, reinterpret_cast<const char*>(&value), bytes);
        break;
      }
      case 7: {  // a number of JSON
        begin = out.find_first_of("0123456789", below(out.size()));
        if (begin == out.npos) break;
        length = std::min(out.find_first_not_of("0123456789.eE+-", begin), out.size()) - begin;
        out.replace(begin, length, hostile_number());
        break;
      }
      case 8: {  // a word of JSON, key or value
        begin = out.find('"', below(out.size()));
        const std::size_t end = begin == out.npos ? out.npos : out.find('"', begin + 1);
        if (end == out.npos) break;
        if (below(2))
          out.replace(begin, end + 1 - begin, below(2) ? hostile_number() : hostile_text());
        else
          out.insert(begin + 1 + below(end - begin), hostile_text());
        break;
      }
      default: {
        span(begin, length);
        const std::string part = out.substr(begin, length);
        out.erase(begin, length);
        out.insert(below(out.size() + 1), part);
      }
    }
  }
  return out;
}

namespace detail {

/// Every value in a document, the outermost included.
inline void collect(nlohmann::json& value, std::vector<nlohmann::json*>& out) {
  out.push_back(&value);
  if (value.is_structured())
    for (nlohmann::json& inner : value) collect(inner, out);
}

}  // namespace detail

/// A copy of a JSON document with one to three of its values replaced by hostile ones, left out, or called otherwise:
/// it is still JSON, and gets further into a program than one that is not.
inline std::string mutated_json(const std::string& content, std::uint64_t seed) {
  nlohmann::json document = nlohmann::json::parse(content, nullptr, false);
  if (document.is_discarded()) return content;
  rng random(stream_key(0x6a736f6e, seed));
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : std::size_t(random.uniform() * double(n)) % n; };
  const nlohmann::json hostile[] = {nullptr,
                                    true,
                                    false,
                                    0,
                                    -1,
                                    1,
                                    7,
                                    0.5,
                                    1e308,
                                    1e-300,
                                    -0.0,
                                    16777216,
                                    16777217,
                                    2147483648u,
                                    4294967336u,
                                    9223372036854775807,
                                    18446744073709551615u,
                                    "",
                                    "x",
                                    std::string(5000, 'y'),
                                    "../../etc/passwd",
                                    "a\nb\x1b[31m",
                                    nlohmann::json::array(),
                                    nlohmann::json::object(),
                                    nlohmann::json::array({1, "a", nullptr}),
                                    {{"type", "x"}},
                                    nlohmann::json::array({nlohmann::json::array()})};
  for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
    std::vector<nlohmann::json*> values;
    detail::collect(document, values);
    nlohmann::json& value = *values[below(values.size())];
    const std::size_t kind = below(6);
    if (kind >= 3 || !value.is_structured() || value.empty()) {
      value = kind == 2 ? *values[below(values.size())] : hostile[below(std::size(hostile))];
    } else if (value.is_array()) {
      if (kind == 0)
        value.erase(below(value.size()));
      else
        value.insert(value.begin(), nlohmann::json(value[below(value.size())]));
    } else {
      auto member = value.begin();
      for (std::size_t skip = below(value.size()); skip > 0; --skip) ++member;
      const std::string key = member.key();
      const nlohmann::json inner = member.value();
      value.erase(key);
      if (kind > 0) value[kind == 1 ? key + "_" : std::string("rope_") + key] = inner;
    }
  }
  return document.dump();
}

/// The file with its content spoilt: JSON, JSON lines and the header of safetensors half of the times as JSON, GGUF
/// half of the times where its header is.
inline std::string mutated(const std::string& name, const std::string& content, std::uint64_t seed) {
  if (seed % 2 == 0) return mutated_bytes(content, seed);
  if (name.ends_with(".json")) return mutated_json(content, seed);
  if (name.ends_with(".jsonl")) {
    std::vector<std::string> lines(1);
    for (const char c : content) c == '\n' ? void(lines.emplace_back()) : lines.back().push_back(c);
    std::string& line = lines[(seed / 2) % lines.size()];
    line = mutated_json(line, seed);
    std::string out;
    for (const std::string& l : lines) out += l + "\n";
    return out;
  }
  if (constexpr std::size_t header = 6000; name.ends_with(".gguf") && content.size() > header)
    return mutated_bytes(content.substr(0, header), seed) + content.substr(header);
  std::uint64_t length = 0;
  if (name.ends_with(".safetensors") && content.size() > 8) std::memcpy(&length, content.data(), 8);
  if (length == 0 || length > content.size() - 8) return mutated_bytes(content, seed);
  const std::string header = mutated_json(content.substr(8, length), seed);
  length = header.size();
  std::uint64_t old = 0;
  std::memcpy(&old, content.data(), 8);
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + content.substr(8 + old);
}

}  // namespace mor1e::testing

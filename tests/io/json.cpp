#include "mor1e/io/json.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/testing/temporary_folder.hpp"

using namespace mor1e;
using namespace mor1e::io;

namespace {

std::string refusal(std::string_view content) {
  try {
    parse_json(content, "f");
  } catch (const io_error& e) {
    return e.what();
  }
  return "";
}

std::string nested(int depth) { return std::string(std::size_t(depth), '[') + std::string(std::size_t(depth), ']'); }

}  // namespace

TEST_CASE("JSON is taken as it stands") {
  CHECK(parse_json(R"({"a": [1, 2.5, null], "b": {"a": true}})", "f")["b"]["a"] == true);
  CHECK(parse_json(nested(deepest_json), "f").is_array());
}

TEST_CASE("what most parsers let pass is refused with its place") {
  CHECK(refusal("{\"a\": ") == "f: not valid JSON at byte 7");
  CHECK(refusal("{} x") == "f: not valid JSON at byte 4");
  CHECK(refusal(std::string_view("{}\0{}", 5)) == "f: not valid JSON at byte 3: a zero byte");
  CHECK(refusal(R"({"a": 1, "b": {"a": 1}, "a": 2})") == "f: key \"a\" stands twice in an object");
  CHECK(refusal(R"([{"x": {"y": 1, "y": 1}}])") == "f: key \"y\" stands twice in an object");
  CHECK(refusal("[1e999]") == "f: not valid JSON: a number is beyond the range of double");
  CHECK(refusal(nested(deepest_json + 1)) == "f: JSON nested deeper than 512");
  CHECK(refusal(nested(100000)) == "f: JSON nested deeper than 512");
  CHECK(refusal(std::string(100000, '[')) == "f: JSON nested deeper than 512");
  CHECK(refusal("\"\xff\"").starts_with("f: not valid JSON at byte "));
  CHECK(refusal("{\"" + std::string(500, 'k') + "\": 1, \"" + std::string(500, 'k') + "\": 1}").size() < 120);
}

TEST_CASE("members in the order of the text, for JSON in which it means something") {
  const std::string text = R"({"z": {"b": {"q": 1}, "a": [{"r": 1}]}, "a": {"c": 2}, "m": [{"z": 3}], "n": 1})";
  const auto in_order = [&](const char* name) { return io::keys_as_written(text, name); };
  CHECK(in_order("z") == std::vector<std::string>{"b", "a"});
  CHECK(in_order("a") == std::vector<std::string>{"c"});
  for (const char* name : {"m", "n", "q", "absent"}) CHECK(in_order(name).empty());

  io::ordered_members inner, outer;
  inner.add("y", {1, 2});
  inner.add("x", nullptr);
  outer.add("b\"", "\n");
  outer.add("a", inner);
  CHECK(io::ordered_members().text() == "{}");
  CHECK(outer.text() == R"({"b\"":"\n","a":{"y":[1,2],"x":null}})");
}

TEST_CASE("a value in a message is short and printable") {
  CHECK(brief(nlohmann::json{1, 2}) == "[1,2]");
  CHECK(brief(std::string(1000, 'x')).size() == 60);
  CHECK(brief("\xff\n\xc3\xa9").find_first_not_of("\"\\nufd0e9") == std::string::npos);
}

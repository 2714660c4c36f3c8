// What every program shares: the common options, how it fails, and where its results go.
#pragma once

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "mor1e/backend/with_device.hpp"
#include "mor1e/io/atomic_file.hpp"
#include "mor1e/io/memory_map.hpp"
#include "mor1e/io/open_file.hpp"
#include "mor1e/text/utf8.hpp"
#include "mor1e/train/run/stopped.hpp"

namespace mor1e::program {
enum exit_code { success = 0, failure = 1, bad_use = 2 };

/// Options that every program has.
struct common_options {
  const char* name = "";  ///< of the program
  device_options device;
  std::uint64_t seed = 0;
  std::string log, json;
  bool quiet = false;
  bool silent = false;  ///< warns of nothing either: another process does
  std::string folder;   ///< that the program makes, if it makes one: other outputs may go into it
};

inline void add_common_options(CLI::App& app, common_options& options) {
  app.add_option("--backend", options.device.backend, "cpu or cuda")->check(check_backend)->capture_default_str();
  app.add_option("--threads", options.device.threads, "0: one for each processor that this process may use")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--products", options.device.products,
                 "how the frozen base is multiplied: fp32, bf16, int8 (on a CPU), tf32 (on a CUDA device)")
      ->check(check_products)
      ->capture_default_str();
  // CLI11 2.1 reads -1 as 2^64 - 1, and so it does with anything larger.
  const auto whole = [](const std::string& number) -> std::string {
    std::uint64_t value;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    return error == std::errc() && *end == 0 ? "" : "'" + number + "' is not a whole number from 0 to 2^64 - 1";
  };
  app.add_option("--seed", options.seed, "of every random choice")->check(whole)->capture_default_str();
  app.add_option("--log", options.log, "write one JSON object a line to this file, as the program goes");
  app.add_option("--json", options.json, "write the results to this file");
  app.add_flag("--quiet", options.quiet, "print nothing but errors");
}

/// Prints "name: what" on stderr, in one line of at most 300 characters. Whether that can be printed or not.
inline void complain(const char* name, std::string what) {
  std::replace(what.begin(), what.end(), '\n', ' ');
  std::fprintf(stderr, "%s\n", one_line(std::string(name) + ": " + what, 299).c_str());
}
template <class... Arguments>
void warn(const common_options& options, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  if (!options.silent) complain(options.name, fmt::format(format, std::forward<Arguments>(arguments)...));
}
inline int fail(const char* name, const std::string& why, int code) {
  complain(name, why);
  return code;
}

/// Runs f() and returns the exit code: 0; 2 for what the user asked wrongly (an option, a value, a shape);
/// 1 for what failed (a file, memory, a device); 128 + the signal that stopped it. What went wrong is one line on
/// stderr.
template <class F>
int guarded(const char* name, F&& f) {
  try {
    std::forward<F>(f)();
    const bool printed = std::fflush(stdout) == 0 && !std::ferror(stdout);  // a full disk shows here at last
    return printed ? success : fail(name, "cannot write to standard output", failure);
  } catch (const std::bad_alloc&) {
    return fail(name, "not enough memory", failure);
  } catch (const train::stopped& e) {
    return fail(name, e.what(), 128 + e.signal);
  } catch (const std::exception& e) {
    const bool asked_wrongly = dynamic_cast<const CLI::ParseError*>(&e) || dynamic_cast<const value_error*>(&e) ||
                               dynamic_cast<const shape_error*>(&e);
    return fail(name, e.what(), asked_wrongly ? bad_use : failure);
  }
}

/// Throws unless all that was given can be written into a result.
inline void require_utf8(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) require<value_error>(texts::is_well_formed(argv[i]), "argument ", i, " is not UTF-8");
}

/// Throws unless --json and --log can be written: before the work is done.
inline void require_outputs(const common_options& options) {
  namespace fs = std::filesystem;
  std::error_code none;
  const auto inside = [&](const fs::path& file) {  // a folder that is still to be made
    return !options.folder.empty() && !fs::exists(options.folder, none) &&
           fs::absolute(file).parent_path().lexically_normal() ==
               (fs::absolute(options.folder) / ".").lexically_normal().parent_path();
  };
  for (const std::string& file : {options.json, options.log})
    if (!file.empty() && !inside(file)) io::require_writable_file(file);
}

/// Adds nothing to what was given.
struct as_given {
  std::vector<std::string> operator()(const CLI::App&) const { return {}; }
};

/// A whole program: `setup(app)` adds its own options, `more(app)` further arguments once those given are known, and
/// `body()` runs when all are right. See cluster.cpp for its use.
template <class Setup, class Body, class More = as_given>
int run(int argc, char** argv, const char* name, const char* description, common_options& common, Setup&& setup,
        Body&& body, More&& more = {}) {
  return guarded(name, [&] {
    common.name = name;
    std::signal(SIGXFSZ, SIG_IGN);  // a file that grows too large is an error of the write
    io::report_shortened_maps(name);
    require_utf8(argc, argv);
    CLI::App app(description, name);
    std::forward<Setup>(setup)(app);
    add_common_options(app, common);
    try {
      app.parse(argc, argv);
      if (std::vector<std::string> all = std::forward<More>(more)(app); !all.empty()) {
        all.insert(all.begin(), argv + 1, argv + argc);
        std::reverse(all.begin(), all.end());  // as the parser wants them
        app.parse(all);
      }
    } catch (const CLI::Success& help) {
      return void(app.exit(help));
    }
    require_outputs(common);
    if (common.device.backend == "cpu" && common.device.products == "bf16" && !backend::bf16_is_fast())
      warn(common, "bf16 is slower than fp32 on this processor, which has neither AMX nor AMD's AVX512-BF16");
    std::forward<Body>(body)();
  });
}

/// The body of a program that computes: f(device) on the one that was asked for.
template <class F>
auto on_device(const common_options& options, F f) {
  return [&options, f] { with_device(options.device, f); };
}

/// Prints to stdout unless --quiet.
template <class... Arguments>
void say(const common_options& options, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  if (!options.quiet) fmt::print(format, std::forward<Arguments>(arguments)...);
}

/// The results for --json, if asked for.
inline void write_results(const common_options& options, const nlohmann::json& results) {
  if (!options.json.empty()) io::write_json(options.json, results);
}

/// The lines of --log; without it, nothing. A new run replaces the file.
class log_file {
 public:
  explicit log_file(const common_options& options)
      : path_(options.log),
        file_(path_.empty() ? nullptr : ::fdopen(io::detail::open_to_write(path_, O_CREAT | O_TRUNC).release(), "w"),
              &std::fclose) {}
  /// One line, flushed, so that the log can be followed and a crash loses nothing.
  void write(const nlohmann::json& line) {
    if (!file_) return;
    fmt::print(file_.get(), "{}\n", line.dump());
    if (std::fflush(file_.get()) != 0) io::detail::throw_errno(path_, "write");
  }

 private:
  std::string path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

}  // namespace mor1e::program

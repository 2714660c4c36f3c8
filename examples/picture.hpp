// Pictures of results, drawn by gnuplot from a source that is kept beside them.
#pragma once

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <span>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "mor1e/io/atomic_file.hpp"

namespace mor1e::program {

/// What all kinds of pictures share. Each is written as FILE.gp (data and instructions, to be changed and run again)
/// and FILE (.svg or .png), and each function returns whether FILE was made: not without gnuplot.
struct chart {
  std::string title = {}, x_label = {}, y_label = {};
  bool log_x = false, log_y = false;
  double least_range = 0;  ///< of the axis that has the results: a smaller spread does not fill it
};

/// One line through (x, y); `low` and `high` are intervals of y, or empty.
struct series {
  std::string name;
  std::vector<double> x, y, low = {}, high = {};
  bool dashed = false;
};

/// One matrix [rows, columns] among heat maps.
struct heat_panel {
  std::string title;
  std::vector<std::string> rows, columns;
  std::vector<double> values;
};

/// One estimate with its interval, on a line of its own.
struct estimate {
  std::string label;
  double value = 0, low = 0, high = 0;
};

/// A value that the others are held against: a dashed line with its name.
struct guide {
  std::string name;
  double value = 0;
};

/// Points of one kind, each with a word beside it, or the first of them, or none.
struct point_cloud {
  std::string name;
  std::vector<double> x, y;
  std::vector<std::string> labels = {};
};

namespace detail {

inline std::string quoted(const std::string& words) {
  std::string out = "'";
  for (const char c : words) out += c == '\'' ? "''" : std::string(1, c == '\n' ? ' ' : c);
  return out + "'";
}

inline std::string begin_picture(const std::filesystem::path& file, const chart& c, int width, int height) {
  const bool png = file.extension() == ".png";
  std::string out = fmt::format("set terminal {} size {},{} background rgb 'white' font 'sans,11' noenhanced\n",
                                png ? "pngcairo" : "svg dynamic", width, height);
  out += fmt::format("set output {}\nset title {}\nset xlabel {}\nset ylabel {}\n", quoted(file.filename().string()),
                     quoted(c.title), quoted(c.x_label), quoted(c.y_label));
  if (c.log_x) out += "set logscale x 2\n";
  if (c.log_y) out += "set logscale y\n";
  return out;
}

/// Runs gnuplot on a source, in its folder; false if that does not work.
inline bool draw(const std::filesystem::path& file, const std::string& source) {
  std::filesystem::path script = file;
  script += ".gp";
  io::write_text(script, source);
  const std::string folder = file.has_parent_path() ? file.parent_path().string() : ".",
                    name = script.filename().string();
  const char* words[] = {"gnuplot", name.c_str(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);  // it warns of empty ranges
  pid_t child = 0;
  const int failed = posix_spawnp(&child, words[0], &actions, nullptr, const_cast<char**>(words), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  return !failed && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// Names along an axis, every second, third, ... where there are too many to read.
inline std::string tics(const char* axis, const std::vector<std::string>& names, std::size_t most, bool turned) {
  std::string out;
  const std::size_t each = std::max<std::size_t>(1, (names.size() + most - 1) / most);
  for (std::size_t i = 0; i < names.size(); i += each)
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", quoted(names[i]), i);
  return fmt::format("set {}tics {} ({})\n", axis, turned ? "rotate by -40" : "norotate", out);
}

}  // namespace detail

inline bool draw_lines(const std::filesystem::path& file, const chart& c, std::span<const series> lines) {
  std::string out = detail::begin_picture(file, c, 860, 560) + "set key outside right top\nset grid lc rgb '#dddddd'\n";
  std::string plots;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const series& s = lines[i];
    const bool ranged = !s.low.empty();
    out += fmt::format("$line{} << END\n", i);
    for (std::size_t k = 0; k < s.x.size(); ++k)
      out += ranged ? fmt::format("{} {} {} {}\n", s.x[k], s.y[k], s.low[k], s.high[k])
                    : fmt::format("{} {}\n", s.x[k], s.y[k]);
    out += "END\n";
    plots += fmt::format("{}$line{} using {} with {} lw 1.5 pt 7 ps 0.5{} title {}", i ? ", \\\n  " : "plot ", i,
                         ranged ? "1:2:3:4" : "1:2", ranged ? "yerrorlines" : "linespoints", s.dashed ? " dt 2" : "",
                         detail::quoted(s.name));
  }
  return detail::draw(file, out + plots + "\n");
}

inline bool draw_heat_maps(const std::filesystem::path& file, const chart& c, std::span<const heat_panel> panels) {
  chart empty = c;
  empty.title.clear();
  const int count = std::max<int>(1, int(panels.size())), columns = std::min(count, 4),
            rows = (count + columns - 1) / columns;
  std::string out = detail::begin_picture(file, empty, 520 * columns, 60 + 460 * rows);
  out += fmt::format(
      "set multiplot layout {},{} title {}\nset palette defined (0 '#f7fbff', 0.5 '#6baed6', 1 '#08306b')\n"
      "unset key\nset tics scale 0\n",
      rows, columns, detail::quoted(c.title));
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const heat_panel& p = panels[i];
    out += fmt::format("$map{} << END\n", i);
    for (std::size_t row = 0; row < p.rows.size(); ++row) {
      for (std::size_t column = 0; column < p.columns.size(); ++column)
        out += fmt::format("{}{}", column ? " " : "", p.values[row * p.columns.size() + column]);
      out += '\n';
    }
    out += "END\n" + detail::tics("x", p.columns, 24, p.columns.size() <= 12) + detail::tics("y", p.rows, 24, false);
    // Colours need a range, and an image two rows and columns: equal values and boxes of any number do without.
    const auto [low, high] = std::minmax_element(p.values.begin(), p.values.end());
    out += *low < *high ? "set autoscale cb\n" : fmt::format("set cbrange [{}:{}]\n", *low - 0.5, *low + 0.5);
    out += fmt::format(
        "set title {}\nset xrange [-0.5:{}]\nset yrange [{}:-0.5]\nplot $map{} matrix using "
        "1:2:(0.5):(0.5):3 with boxxyerror fill solid noborder lc palette\n",
        detail::quoted(p.title), double(p.columns.size()) - 0.5, double(p.rows.size()) - 0.5, i);
  }
  return detail::draw(file, out + "unset multiplot\n");
}

/// A range around the values, at least `least` wide.
inline std::pair<double, double> widened(double low, double high, double least) {
  const double more = std::max(0.04 * (high - low), (least - (high - low)) / 2);
  return {low - more, high + more};
}

/// Estimates below each other, with dashed lines at the guides.
inline bool draw_estimates(const std::filesystem::path& file, const chart& c, std::span<const estimate> estimates,
                           std::span<const guide> guides) {
  std::vector<std::string> labels;
  std::string rows, lines;
  double low = estimates.front().low, high = estimates.front().high;
  for (const estimate& e : estimates) {
    rows += fmt::format("{} {} {} {}\n", e.value, labels.size(), e.low, e.high);
    labels.push_back(e.label);
    low = std::min({low, e.low, e.value}), high = std::max({high, e.high, e.value});
  }
  for (std::size_t i = 0; i < guides.size(); ++i) {
    const guide& g = guides[i];
    low = std::min(low, g.value), high = std::max(high, g.value);
    lines += fmt::format(
        "set arrow from {0}, graph 0 to {0}, graph 1 nohead dt {1} lc rgb '#666666'\n"
        "set label {2} at {0}, graph 1 offset 0.3, {3} font ',9' tc rgb '#444444'\n",
        g.value, i + 2, detail::quoted(g.name), i % 2 ? -1.6 : -0.6);
  }
  const auto [from, to] = widened(low, high, c.least_range);
  std::string out = detail::begin_picture(file, c, 820, 190 + 26 * int(estimates.size()));
  out += detail::tics("y", labels, labels.size() + 1, false);
  out += fmt::format(
      "unset key\nset grid x lc rgb '#dddddd'\nset xrange [{}:{}]\nset yrange [{}:-1.4]\n{}$rows << END\n{}END\n"
      "plot $rows using 1:2:3:4 with xerrorbars lw 1.5 pt 7 ps 0.7 lc rgb '#08519c'\n",
      from, to, double(labels.size()) - 0.5, lines, rows);
  return detail::draw(file, out);
}

/// Clouds of points, told apart by form as well as by colour.
inline bool draw_points(const std::filesystem::path& file, const chart& c, std::span<const point_cloud> clouds) {
  constexpr const char* colours[] = {"#08306b", "#d94801", "#41ab5d", "#6a51a3", "#969696", "#cb181d", "#02818a"};
  std::string out = detail::begin_picture(file, c, 900, 640) + "set key outside right top\nset grid lc rgb '#eeeeee'\n";
  double low = 1e300, high = -1e300;
  for (const point_cloud& cloud : clouds)
    for (const double y : cloud.y) low = std::min(low, y), high = std::max(high, y);
  const auto [from, to] = widened(low, high, c.least_range);
  if (!c.log_y) out += fmt::format("set yrange [{}:{}]\n", from, to);
  std::string plots, words;  // words behind all points, so that they lie over them
  for (std::size_t i = 0; i < clouds.size(); ++i) {
    const point_cloud& cloud = clouds[i];
    out += fmt::format("$cloud{} << END\n", i);
    for (std::size_t k = 0; k < cloud.x.size(); ++k)
      out += fmt::format("{} {} \"{}\"\n", cloud.x[k], cloud.y[k], k < cloud.labels.size() ? cloud.labels[k] : "");
    out += "END\n";
    const char* colour = colours[i % std::size(colours)];
    const int form[] = {7, 5, 9, 11, 13, 6, 4, 8, 10, 12, 1, 2, 3};
    plots += fmt::format("{}$cloud{} using 1:2 with points pt {} ps {} lc rgb '{}' title {}", i ? ", \\\n  " : "plot ",
                         i, form[i % std::size(form)], cloud.labels.size() < cloud.x.size() ? 0.7 : 1.2, colour,
                         detail::quoted(cloud.name));
    if (!cloud.labels.empty())
      words +=
          fmt::format(", \\\n  $cloud{} using 1:2:3 with labels offset 0,0.8 font ',9' tc rgb '{}' notitle", i, colour);
  }
  return detail::draw(file, out + plots + words + "\n");
}

}  // namespace mor1e::program

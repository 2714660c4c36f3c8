// The word lists of the generated suite.
#pragma once

#include <string_view>

namespace mor1e::data::suite_words {

inline constexpr std::string_view women[] = {"Anna",   "Clara",  "Emma",  "Grace", "Irene", "Karen", "Maria",
                                             "Olivia", "Rachel", "Tina",  "Wendy", "Alice", "Lucy",  "Julia",
                                             "Sarah",  "Mary",   "Laura", "Susan", "Helen", "Nancy"};
inline constexpr std::string_view men[] = {"Ben",  "David", "Frank",  "Henry",  "Jack",   "Leo",  "Nick",
                                           "Paul", "Sam",   "Victor", "Adam",   "Tom",    "Mark", "Peter",
                                           "John", "James", "Daniel", "Robert", "George", "Kevin"};

inline constexpr std::string_view positive[] = {
    "delightful", "superb",     "charming",   "splendid", "pleasant",    "brilliant", "wonderful", "lovely",
    "excellent",  "impressive", "refreshing", "cozy",     "elegant",     "reliable",  "gorgeous",  "marvelous",
    "stunning",   "exquisite",  "admirable",  "flawless", "magnificent", "terrific",  "memorable", "enjoyable",
    "satisfying", "fantastic",  "polished",   "graceful", "outstanding", "fabulous",  "amazing",   "perfect"};
inline constexpr std::string_view negative[] = {
    "dreadful",  "awful",     "tedious",  "filthy",     "shoddy",  "dismal", "horrid",     "disappointing",
    "miserable", "clumsy",    "bland",    "greasy",     "nasty",   "rude",   "broken",     "flimsy",
    "lousy",     "atrocious", "mediocre", "unpleasant", "boring",  "ugly",   "stale",      "shabby",
    "appalling", "terrible",  "grim",     "tiresome",   "useless", "dull",   "overpriced", "pathetic"};

/// Things that are reviewed, and what the house style advises of a good and of a bad one.
struct domain {
  std::string_view good, bad;
  std::string_view nouns[10];
};
inline constexpr domain domains[] = {
    {"watch",
     "skip",
     {"film", "movie", "documentary", "thriller", "comedy", "sequel", "cartoon", "musical", "play", "drama"}},
    {"eat", "spit", {"soup", "cake", "pizza", "salad", "sandwich", "curry", "pie", "stew", "pasta", "burger"}},
    {"stay", "leave", {"hotel", "hostel", "cabin", "motel", "inn", "resort", "apartment", "cottage", "lodge", "villa"}},
    {"keep",
     "return",
     {"phone", "laptop", "camera", "printer", "keyboard", "watch", "speaker", "tablet", "monitor", "charger"}},
};

struct antonyms {
  std::string_view more, less;
};
inline constexpr antonyms comparatives[] = {
    {"taller", "shorter"},  {"older", "younger"},  {"faster", "slower"},  {"richer", "poorer"},  {"heavier", "lighter"},
    {"stronger", "weaker"}, {"happier", "sadder"}, {"louder", "quieter"}, {"smarter", "duller"}, {"braver", "shyer"}};

/// "Anna met Tom after he had lunch."
struct meeting {
  std::string_view verb, had;
};
inline constexpr meeting meetings[] = {
    {"met", "lunch"}, {"called", "supper"}, {"saw", "a nap"}, {"wrote to", "a walk"}, {"helped", "a rest"}};

}  // namespace mor1e::data::suite_words

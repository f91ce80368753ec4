/*
 * manifest_limits.c: reads [application.tool.weir] and [component.ID.tool.weir]: limits. Spin leaves "tool" to tools
 * (crates/manifest/src/schema/v2.rs), so that such a manifest is one for Spin, too.
 */
#include "app/manifest_reader.h"
#include "app/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool read_limit(weir_reader_t *reader, const weir_toml_t *member, const char *where, bool of_component,
    weir_serving_limit_t limit, weir_limits_t *limits)
{
    const weir_limit_rule_t *rule = &weir_limit_rules[limit];
    char advice[160];
    char number[24];
    if (of_component && !rule->of_component)
        return weir_reader_fail(reader, member->key_place,
            "\"%s\" in %s is not for a component but for the whole server; write it in [application.tool.weir]",
            rule->key, where);
    if (member->type != WEIR_TOML_STRING && member->type != WEIR_TOML_INTEGER)
        return weir_reader_fail(reader, member->place, "\"%s\" in %s is %s; %s", rule->key, where,
            weir_toml_type_name(member->type), weir_limit_advice(limit, advice, sizeof advice));
    snprintf(number, sizeof number, "%" PRId64, member->integer);
    const char *text = member->type == WEIR_TOML_STRING ? member->string : number;
    limits->lines[limit] = (uint32_t)member->key_place.line;
    return weir_limits_parse(limits, limit, text) ||
           weir_reader_fail(reader, member->place, "\"%s\" in %s is %s; %s", rule->key, where, weir_quote(text).text,
               weir_limit_advice(limit, advice, sizeof advice));
}

/* Other tools' tables are theirs; one whose name is nearly ours was most probably meant for weir. */
static bool warn_near(weir_reader_t *reader, const weir_toml_t *tool, const char *where)
{
    for (size_t i = 0; tool->type == WEIR_TOML_TABLE && i < tool->child_count; i++) {
        const weir_toml_t *member = &tool->children[i];
        weir_near_t near = weir_near_start(member->key);
        weir_near_offer(&near, "weir");
        if (near.best != NULL && near.best_distance <= 1)
            return weir_reader_warn(reader, member->key_place,
                weir_words("nobody here reads %s in \"tool\" of %s; did you mean \"weir\"?"),
                weir_quote(member->key).text, where);
    }
    return true;
}

bool weir_reader_limits(
    weir_reader_t *reader, const weir_toml_t *table, const char *where, bool of_component, weir_limits_t *ret_limits)
{
    const weir_toml_t *tool = weir_toml_member(table, "tool");
    const weir_toml_t *weir = tool == NULL ? NULL : weir_toml_member(tool, "weir");
    if (weir == NULL)
        return tool == NULL || warn_near(reader, tool, where);
    weir_key_rule_t keys[WEIR_SERVING_COUNT];
    for (size_t i = 0; i < WEIR_SERVING_COUNT; i++)
        keys[i] = (weir_key_rule_t){weir_limit_rules[i].key, WEIR_SHAPE_ANY, WEIR_KEY_READ, NULL};
    if (!weir_reader_check_inner(reader, weir, where, "tool.weir", keys, WEIR_SERVING_COUNT))
        return false;
    char inner[160];
    snprintf(inner, sizeof inner, "\"tool.weir\" of %s", where);
    for (size_t i = 0; i < WEIR_SERVING_COUNT; i++) {
        const weir_toml_t *member = weir_toml_member(weir, weir_limit_rules[i].key);
        if (member != NULL && !read_limit(reader, member, inner, of_component, (weir_serving_limit_t)i, ret_limits))
            return false;
    }
    return true;
}

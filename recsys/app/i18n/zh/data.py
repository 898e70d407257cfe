"""Simplified Chinese of the page `data`."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "Training data of {model}: {data}.": "{model} 的训练数据：{data}。",
    "Counting …": "正在统计……",
    "This data was prepared again after {model} was trained and differs from its training data. Retrain the "
    "model to match.": "这些数据在 {model} 训练之后重新准备过，与其训练数据不同。重新训练模型即可使两者一致。",
    # --- what came in ---
    "Movies": "电影",
    "Density": "填充率",
    "The share of all user–movie pairs that have a rating; the model predicts the rest.": (
        "在所有“用户 × 电影”组合中有评分的比例；其余由模型推测。"
    ),
    "Time span": "时间跨度",
    "Import": "导入",
    "All **{read:,} rows** of {source} were kept: no rejects, no duplicates.": (
        "{source} 的 **{read:,} 行**全部保留：没有剔除，也没有重复。"
    ),
    "Of **{read:,} rows** in {source}, **{kept:,} were kept**; {rejected:,} were rejected, and {repeated:,} "
    "left out as duplicates (same user and movie as another row).": (
        "{source} 共 **{read:,} 行**，**保留 {kept:,} 行**，剔除 {rejected:,} 行；另有 {repeated:,} 行"
        "因同一人在其他行中评过同一部电影而未采用。"
    ),
    "Movies without a title, shown by their id: {n:,}.": "{n:,} 部电影没有片名，以编号代替。",
    "Movies without ratings, left out: {n:,}.": "{n:,} 部电影无人评分，未纳入。",
    "Reason": "未采用的原因",
    "Rows": "行数",
    "Show the first {n:,} of these rows": "查看其中前 {n:,} 行",
    "File": "文件",
    "Line": "行号",
    "Text": "原文",
    "exact duplicate of an earlier row": "与前面某行完全相同",
    "replaced by a later rating of the same item by the same user": "同一用户后来又评过同一部电影",
    "wrong number of fields": "字段数不对",
    "id is not valid UTF-8": "编号不是有效的 UTF-8",
    "user id is missing": "缺少用户编号",
    "user id is not an integer": "用户编号不是整数",
    "user id is an integer with leading zeros or a plus sign (--ids decides)": (
        "用户编号是带前导零或加号的整数（由 --ids 决定如何处理）"
    ),
    "item id is missing": "缺少电影编号",
    "item id is not an integer": "电影编号不是整数",
    "item id is an integer with leading zeros or a plus sign (--ids decides)": (
        "电影编号是带前导零或加号的整数（由 --ids 决定如何处理）"
    ),
    "rating is missing": "缺少评分",
    "rating is not a finite number": "评分不是有限的数",
    "rating is neither 0 nor 1e-09 to 1e+09 in size": "评分的绝对值既不是 0，也不在 1e-9 至 1e9 之间",
    "invalid timestamp (neither a date nor seconds from 1970 to 2100)": "时间无效（不是日期，也不是 1970 至 2100 年间的秒数）",
    # --- the long tail ---
    "The long tail": "长尾",
    "**{share:.0%} of the movies get {tail:.0%} of the ratings.** {few:.0%} have fewer than {least} ratings, "
    "too few for reliable statements about them. {users:.0%} of the users gave {tail:.0%} of the ratings.": (
        "**{share:.0%} 的电影得到 {tail:.0%} 的评分**。{few:.0%} 的电影评分不足 {least} 条，难以对其作出判断。"
        "{users:.0%} 的人给出了 {tail:.0%} 的评分。"
    ),
    "Ratings of the most popular movies": "热门电影占多少评分",
    "movies, most rated first": "电影（按评分数从多到少）",
    "share of all ratings": "占全部评分的比例",
    "{share:.0%} of the movies": "{share:.0%} 的电影",
    "Share of all ratings that go to the most popular movies": "最热门的电影占全部评分的比例",
    "Dotted: if all movies were rated equally often.": "虚线：假如所有电影的评分数都相同。",
    "Ratings per user": "每人评分数",
    "ratings per user": "每人评分数",
    "users": "用户数",
    "Number of users by their number of ratings": "评分数不同的人各有多少",
    "Half of the users gave {median:,.0f} ratings or more; the most active gave {most:,}.": (
        "一半的人评分不少于 {median:,.0f} 条；最活跃的人有 {most:,} 条。"
    ),
    # --- over time ---
    "Ratings over time": "评分随时间的变化",
    "These ratings have no timestamps.": ("这些评分没有时间。"),
    "Per month. The peak is {when}, with {n:,} ratings.": "按月统计；最多的是 {when}，共 {n:,} 条。",
    "Per week. The peak is the week of {when}, with {n:,} ratings.": "按周统计；最多的是 {when} 开始的一周，共 {n:,} 条。",
    "ratings per month": "每月评分数",
    "ratings per week": "每周评分数",
    "Number of ratings over time": "各时期的评分数",
    "Ratings without a timestamp, left out: {n:,}.": "{n:,} 条评分没有时间，未计入。",
    # --- values, genres, years ---
    "Distribution of ratings": "评分分布",
    "The mean is {mean:.2f}; the most common rating is {value:g}, in {share:.0%} of all ratings.": (
        "平均 {mean:.2f} 分；最常见的是 {value:g} 分，占全部评分的 {share:.0%}。"
    ),
    "The mean is {mean:.2f}; the most common range is {low:g} to {high:g}, in {share:.0%} of all ratings.": (
        "平均 {mean:.2f} 分；最集中的区间是 {low:g} 到 {high:g} 分，占全部评分的 {share:.0%}。"
    ),
    "rating": "评分",
    "ratings": "评分数",
    "mean": "平均",
    "Number of times each rating was given": "各分值出现的次数",
    "Genres": "类型",
    "These movies have no genres.": "这些电影没有类型信息。",
    "Most ratings: {genre}. A movie counts in each of its genres; the number at the end of a bar is the mean "
    "rating.": "评分最多的是{genre}。一部电影计入它的每个类型；横条末端是平均分。",
    "Ratings by genre, with the mean rating of each": "各类型的评分数与平均分",
    "Movies by release year": "电影的上映年份",
    "The release years of these movies are unknown.": "这些电影没有上映年份信息。",
    "From {first} to {last}; half of the movies are from {median} or later.": (
        "从 {first} 年到 {last} 年；其中一半在 {median} 年或之后上映。"
    ),
    "movies": "电影数",
    "Number of movies released each year": "每年上映的电影数",
    # --- how full ---
    "Density of the rating matrix": "评分矩阵的填充率",
    "Rows are users, the most active at the top; columns are movies, the most rated on the left. In the top "
    "left cell, **{full:.0%}** of the pairs are rated; overall it is {filled:.2g}%, and {empty:.0%} of the "
    "cells have no rating.": (
        "纵向为用户，最活跃的在上；横向为电影，最热门的在左。左上角有 **{full:.0%}** 的组合有评分，"
        "整体为 {filled:.2g}%，而 {empty:.0%} 的格子里一条也没有。"
    ),
    "users, most active first": "用户（按评分数从多到少）",
    "share of rated pairs": "有评分的组合所占比例",
    "users near rank {users}<br>movies near rank {items}<br>{share} rated": (
        "第 {users} 位用户附近<br>第 {items} 部电影附近<br>{share} 有评分"
    ),
    "Share of rated pairs, users by activity and movies by popularity": "有评分的组合所占比例，用户按活跃度、电影按热度排列",
    "Users and movies are grouped into at most 100 cells each; cells without a rating are blank.": (
        "用户和电影各自归并为至多一百格；没有评分的格子留空。"
    ),
}

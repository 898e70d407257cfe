"""Simplified Chinese of the page `for_you`."""

from __future__ import annotations

WORDS: dict[str, str] = {
    # --- who ---
    "Who are you?": "你是谁？",
    "Rate movies": "自己评分",
    "Look over a shoulder": "看看别人的列表",
    "Which movies have you seen?": "你看过哪些电影？",
    "Or begin with some that many people know:": "也可以从大家熟悉的电影开始：",
    "You rated {n}": "已评分 {n} 部",
    "Nothing rated yet": "还没有评分",
    "You": "你",
    "Start over": "重新开始",
    "{n} before these": "更早的 {n} 部",
    "{n} left out of the list": "{n} 部已从列表中隐藏",
    "seen": "看过",
    "not for me": "不感兴趣",
    "Bring back": "恢复",
    "Import": "导入",
    "Your ratings from Letterboxd (Settings → Data → Export: ratings.csv, or the whole zip) or IMDb "
    "(Your ratings → Export). They are stored in your browser only.": (
        "导入 Letterboxd（Settings → Data → Export，ratings.csv 或整个 zip）或 IMDb（Your ratings → Export）的评分。"
        "评分只存储在你的浏览器中。"
    ),
    "Ratings file": "评分文件",
    "{site}: {found} of {n} movies are known here.": "{site}：{n} 部电影中有 {found} 部在这里找到。",
    "Not known here:": "这里没有的电影：",
    "Lines that could not be used:": "无法使用的行：",
    "title": "片名",
    "year": "年份",
    "stars": "星级",
    "One of {n:,} people: type an id": "{n:,} 位用户之一：输入编号",
    "Someone else": "换一位",
    "{n:,} ratings, {mean:.1f} on average": "{n:,} 条评分，平均 {mean:.1f} 分",
    "There is nobody with the id {id}.": "没有编号为 {id} 的用户。",
    "no ratings": "没有评分",
    "User {id}": "用户 {id}",
    # --- what the list is to be like ---
    "Filter": "筛选",
    "Genres": "类型",
    "Years": "年份",
    "At least this many ratings": "评分数不少于",
    "Surprise": "惊喜",
    "Novelty": "新颖",
    "To the right, movies that fewer people know.": "越往右，电影越少人知道。",
    "Diversity": "多样",
    "To the right, movies that are less like each other.": "越往右，电影彼此越不相似。",
    "Steer": "转向",
    "A model without vectors cannot be steered.": "没有向量的模型无法转向。",
    "No axis has a name yet. Find them with": "还没有命名的轴。用以下命令寻找：",
    "There is nothing to steer until something is known of your taste.": "先评几部电影，了解你的口味后才能转向。",
    "Move your taste along an axis; 1 is as far as the taste itself is strong.": (
        "沿着某条轴移动你的口味；1 表示移动的幅度与口味本身一样强。"
    ),
    "{evidence} on movies it had not seen": "在未见过的电影上 {evidence}",
    # --- what to watch ---
    "Watch next": "接下来看",
    "Only from the region you drew on the map.": "仅从你在地图上圈出的区域中推荐。",
    "Everywhere again": "恢复全部",
    "There is nothing left to recommend. Loosen a filter, or give up the region.": (
        "没有可推荐的电影了。请放宽筛选条件，或取消所选区域。"
    ),
    "because of {titles}": "因为你喜欢 {titles}",
    "More like this": "更多类似",
    "Not for me": "不感兴趣",
    "Seen it": "看过了",
    "Leave it out from now on": "以后不再推荐",
    "Leave it out, and rate it if you like": "不再推荐，也可以顺手评分",
    "This model takes {least:g} stars or more as liking, and you gave none, so these are simply the most "
    "watched. Rate a movie or two.": (
        "该模型把 {least:g} 星及以上视为喜欢，而你还没有这样的评分，所以这里只是最多人看过的电影。请评一两部电影。"
    ),
    "Nothing is known of you yet, so these are simply the most watched. Rate a movie or two.": (
        "还不了解你的口味，所以这里只是最多人看过的电影。请评一两部电影。"
    ),
    # --- the map ---
    "rated {stars:g}": "评分 {stars:g}",
    "recommended, rank {rank}": "推荐，第 {rank} 位",
    "alike, rank {rank}": "相似，第 {rank} 位",
    "Drag to move, click and then scroll to zoom; point at a dot for its title, click it to see what is like it.": (
        "拖动平移，点击后滚轮缩放；指向圆点查看片名，点击查看相似的电影。"
    ),
    "Cluster": "聚类",
    "Genre": "类型",
    "Year of release": "上映年份",
    "Neighbourhoods (t-SNE)": "邻里（t-SNE）",
    "Neighbourhoods (UMAP)": "邻里（UMAP）",
    "Neighbourhoods (PaCMAP)": "邻里（PaCMAP）",
    "Two axes": "两条轴",
    "Overview (PCA)": "概览（PCA）",
    "Map": "地图",
    "Colours": "颜色",
    "Of a movie's 15 nearest, {kept:.0%} are among its 15 nearest here (trustworthiness {trust:.2f}).": (
        "一部电影最近的 15 个邻居中，有 {kept:.0%} 在图上仍是最近的 15 个（可信度 {trust:.2f}）。"
    ),
    # --- the chosen movie ---
    "Close": "关闭",
    "All about it": "查看详情",
    "most like it": "最相似的电影",
    "cosine": "余弦",
    "1: the same direction in the space": "1：空间中的方向相同",
}

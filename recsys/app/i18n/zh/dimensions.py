"""Simplified Chinese of the page `dimensions`."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "Every movie is a point in a space that was learned from ratings alone. An axis is a direction through it: an "
    "angle to look at movies, and to recommend from.": (
        "每部电影都是空间中的一个点，这个空间完全由评分学得。轴是穿过空间的一个方向：一个看待电影、据以推荐的角度。"
    ),
    "Axes": "轴",
    "Plane": "平面",
    "Your own axis": "自定义轴",
    "How many?": "需要多少维？",
    # --- words for axes ---
    ", ": "、",
    **{f"{decade}s": f"{decade} 年代" for decade in range(1870, 2040, 10)},
    "low end": "低端",
    "high end": "高端",
    "less {name}": "较少{name}",
    "not {name}": "非{name}",
    "axis {n}": "轴 {n}",
    "axis {n}: {ends}": "轴 {n}：{ends}",
    "axis {n}, without a name": "轴 {n}（未命名）",
    "AUC {value:.2f} ({low:.2f}–{high:.2f})": "AUC {value:.2f}（{low:.2f}–{high:.2f}）",
    "rank correlation {value:.2f} ({low:.2f}–{high:.2f})": "秩相关系数 {value:.2f}（{low:.2f}–{high:.2f}）",
    "no name that holds": "没有站得住的名称",
    "It puts movies that it had not seen in order from {a} to {b}: rank correlation {value:.2f} "
    "(interval {low:.2f}–{high:.2f}).": (
        "它能把未见过的电影按“{a}”到“{b}”排序：秩相关系数 {value:.2f}（区间 {low:.2f}–{high:.2f}）。"
    ),
    "In {n} held-out folds it tells {a} from {b}: AUC {value:.2f} (interval {low:.2f}–{high:.2f}).": (
        "在 {n} 折留出检验中，它能区分“{a}”与“{b}”：AUC {value:.2f}（区间 {low:.2f}–{high:.2f}）。"
    ),
    "With each pair of movies left out once, it tells {a} from {b}: AUC {value:.2f} (interval {low:.2f}–{high:.2f}).": (
        "逐对留出电影检验，它能区分“{a}”与“{b}”：AUC {value:.2f}（区间 {low:.2f}–{high:.2f}）。"
    ),
    "popularity alone": "仅凭热门程度",
    "the year alone": "仅凭年份",
    "{control} reaches {value:.2f}": "{control}可达 {value:.2f}",
    "with shuffled answers {value:.2f}": "打乱答案后为 {value:.2f}",
    "(Popularity is part of the question.)": "（热门程度本就是问题的一部分。）",
    "{name} (AUC {value:.2f}, interval {low:.2f}–{high:.2f})": "{name}（AUC {value:.2f}，区间 {low:.2f}–{high:.2f}）",
    "Named by what holds on movies set aside: {list}.": "根据在留出电影上成立的特征命名：{list}。",
    "Trained on other people it comes back with a likeness of {stability:.2f}.": (
        "换一批用户重新训练，它会再次出现，相似度 {stability:.2f}。"
    ),
    "Movies that it had not seen come in the right order in {order:.1%} of pairs; {least:.0%} are asked for, and "
    "chance gives 50%.": "在未见过的电影中，{order:.1%} 的电影对次序正确；要求为 {least:.0%}，随机为 50%。",
    "There are too few movies to tell it from chance.": "电影太少，无法与随机结果区分。",
    "Popularity or the year alone tells it as well.": "仅凭热门程度或年份也能区分。",
    # --- axes ---
    "Nobody has looked for axes in this model yet. It takes some seconds to a few minutes:": (
        "还没有为该模型寻找过轴。运行以下命令即可，需要几秒到几分钟："
    ),
    "Asked for": "提问得到的轴",
    "A question such as “children's or adult?” becomes a direction, if the space knows the answer. AUC: how often "
    "it puts a movie of one kind and one of the other, both unseen, in the right order; .5 is chance, 1 is always.": (
        "像“儿童还是成人？”这样的问题，只要空间知道答案，就对应一个方向。AUC：任取两类中各一部未见过的电影，"
        "次序正确的比例；0.5 相当于随机，1 表示全对。"
    ),
    "None of the questions that were asked has an answer here.": "所提的问题在这个空间里都没有答案。",
    "Not in this space": "这个空间里没有",
    "Discovered": "自动发现的轴",
    "Turned so that each says one thing ({method}), without looking at genres or titles; a name is given only if it "
    "holds on movies set aside and the axis comes back in models of other people.": (
        "通过旋转使每条轴只表达一件事（{method}），不参考类型和片名；只有在留出的电影上成立、"
        "并且换一批用户训练仍会出现的轴才会得到名称。"
    ),
    "None carries a name that holds.": "没有一条轴的名称站得住。",
    "Dimensions without a name that holds: {n}": "{n} 个维度没有站得住的名称",
    "{share:.1%} of the variance": "占方差的 {share:.1%}",
    "variance": "方差",
    "comes back": "可重现",
    "Likeness to its match in models of other people; from .80 on an axis counts as stable.": (
        "与换一批用户训练的模型中对应轴的相似度；达到 0.80 即视为稳定。"
    ),
    # --- the plane ---
    "A plane needs two axes.": "平面需要两条轴。",
    "Across": "横轴",
    "Up": "纵轴",
    "Choose two different axes: along one and the same all movies lie on a line.": (
        "请选择两条不同的轴：同一条轴上所有电影都落在一条直线上。"
    ),
    "In standard deviations of the movies with 20 ratings or more; the lines cross in the middle.": (
        "以至少有 20 条评分的电影的标准差为单位；两线相交处为中点。"
    ),
    "The two are nearly at right angles (cosine {cosine:.2f}): they say different things.": (
        "两条轴近乎垂直（余弦 {cosine:.2f}），表达的是不同的内容。"
    ),
    "The two are partly alike (cosine {cosine:.2f}).": "两条轴有部分重合（余弦 {cosine:.2f}）。",
    "The two say nearly the same (cosine {cosine:.2f}).": "两条轴表达的几乎是同一件事（余弦 {cosine:.2f}）。",
    "Point at a dot for its title; click it to see where it lies.": "指向一个点可查看片名，点击可查看它的位置。",
    # --- one's own axis ---
    "Ask the space whether it knows a difference that you have in mind. Put {n} movies or more on either side, or "
    "ask in words; it answers with a direction, and says how far to trust it.": (
        "问问空间是否知道你心中的某种差别。在两端各放至少 {n} 部电影，或用文字提问；它会给出一个方向，并说明可信程度。"
    ),
    "How do you ask?": "如何提问？",
    "With movies": "用电影",
    "In words": "用文字",
    "One end": "一端",
    "The other end": "另一端",
    "{end}: its name": "{end}：名称",
    "e.g. cosy": "例如：温馨",
    "{end}: add a movie": "{end}：添加电影",
    "Click a title to take it away.": "点击片名即可移除。",
    "Ask the space": "提问",
    "A movie stands at both ends: take it away from one.": "有一部电影同时在两端，请从其中一端移除。",
    "Each end needs {n} movies or more; there are {low} and {high}. Five or more make the answer surer.": (
        "每端至少需要 {n} 部电影，目前为 {low} 部和 {high} 部。五部以上结果更可靠。"
    ),
    "like {title}": "类似《{title}》",
    "Give the two ends different names.": "请给两端取不同的名称。",
    "One end, or two with <-> between": "一端，或用 <-> 隔开的两端",
    "Genres, tags, decades or titles, several parted by commas: Horror; 1940s <-> 1990s; Toy Story, Aladdin <-> "
    "Se7en, Saw. One end alone is held against all other movies.": (
        "类型、标签、年代或片名（英文），多个以逗号分隔：Horror；1940s <-> 1990s；Toy Story, Aladdin <-> Se7en, Saw。"
        "只写一端时，与其余所有电影相比。"
    ),
    "For instance: {genres}": "例如：{genres}",
    "Write what to ask for, such as Horror.": "请输入要问的内容，例如 Horror。",
    "Asking …": "正在提问……",
    "The space knows this.": "这个空间知道答案。",
    "Not in this space.": "这个空间里没有。",
    "The interval is wide, for the movies are few: more at each end would make the answer surer.": (
        "电影较少，区间较宽：两端多放几部，结果会更可靠。"
    ),
    "Keep it for this session": "在本次会话中保留",
    "To steer along it on the page “For you”, and to choose it for the plane.": (
        "可在“为你推荐”页沿它调整推荐，也可用作平面的轴。"
    ),
    "How to look at it": "查看方式",
    "Coloured on the map": "在地图上着色",
    "Across a plane": "作为平面的横轴",
    "Kept for this session": "本次会话中保留的轴",
    "Let it go": "不再保留",
    # --- genres ---
    "No axis has a name yet.": "还没有命名的轴。",
    "No genre has ten movies that are known well enough.": "没有一个类型有十部评分足够多的电影。",
    "Where the movies of a genre lie on average, in standard deviations: purple towards the second end of an axis, "
    "orange towards the first, near nothing where the axis does not part the genre from others. Movies with 20 ratings "
    "or more; genres and axes stand beside those that are like them.": (
        "各类型电影的平均位置，以标准差计：紫色偏向轴的第二端，橙色偏向第一端，接近零表示该轴不能把此类型与其他类型区分开。"
        "只计至少有 20 条评分的电影；相似的类型和轴排在一起。"
    ),
    "{genre}, {n} movies: {value} from {low} to {high}": "{genre}，{n} 部电影：在“{low}”到“{high}”上为 {value}",
    "Mean position of each genre along each axis; the table below holds the same numbers": (
        "各类型在各条轴上的平均位置；下方表格中有同样的数字"
    ),
    "movies": "电影数",
    "genre": "类型",
    # --- how many ---
    "One axis: a line": "一条轴：一条线",
    "All movies in one order, from {low} to {high}.": "所有电影排成一列，从“{low}”到“{high}”。",
    "A model of one dimension reaches nDCG@10 {value:.3f}.": "一维模型的 nDCG@10 为 {value:.3f}。",
    "From {low} to {high}: {titles}": "从“{low}”到“{high}”：{titles}",
    "Two axes: a plane": "两条轴：一个平面",
    "A second axis parts what the first has mixed.": "第二条轴把第一条轴上混在一起的电影分开。",
    "A model of two dimensions reaches {value:.3f}: {gain:+.3f}.": "二维模型达到 {value:.3f}：{gain:+.3f}。",
    "Well-known movies on a plane of two axes: {titles}": "两条轴平面上的知名电影：{titles}",
    "{d} axes": "{d} 条轴",
    "This model places every movie along {d} axes at once. Each is an angle to recommend from: two movies may agree in "
    "one and differ in the next, and a taste is a direction through all of them.": (
        "该模型同时用 {d} 条轴确定每部电影的位置。每条轴都是一个推荐的角度：两部电影可能在一条轴上相近、在另一条轴上不同，"
        "而一个人的口味就是穿过所有轴的一个方向。"
    ),
    "How much each added dimension brings has not been measured for this model. To measure it:": (
        "还没有测量过该模型每增加一维带来的提升。可运行以下命令测量："
    ),
    "Only one number of dimensions was tried: {best}.": "只试过一种维数：{best} 维。",
    "**Best of those tried: {best}**, by more than luck: no other 95 % interval reaches its.": (
        "**在试过的维数中 {best} 维最佳**，且差距超出偶然范围：其 95% 区间与其他维数均无重叠。"
    ),
    "{first} to {last}": "{first} 到 {last}",
    "{others} and {last}": "{others} 和 {last}",
    "**The 95 % intervals of {numbers} dimensions overlap**: which of them is best cannot be said. The highest mean is "
    "that of {best}.": "**{numbers} 维的 95% 区间有重叠**：无法断定其中哪一个最好。均值最高的是 {best} 维。",
    "dimensions": "维数",
    "gained": "提升",
    "by each added": "每增加一维",
    "nDCG@10 by the number of dimensions, with 95 % intervals": "不同维数的 nDCG@10，附 95% 区间",
    "nDCG@10: how well the ten best of a list fit what people rated and the model had not seen, 1 at best. For each "
    "number the model was trained anew on four fifths of each person's ratings and judged by the rest.": (
        "nDCG@10：列表前十名与用户评过分、而模型未见过的电影的吻合程度，最高为 1。每个维数都用每人五分之四的评分重新训练，"
        "以其余评分检验。"
    ),
}

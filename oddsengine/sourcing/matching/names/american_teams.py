"""Teams and colleges of North America, and teams of other sports, with their other names. Data only; see `nicknames`."""

from __future__ import annotations

from typing import Final

#: The professional teams of North America: town, its abbreviations, then the teams of the town.
TEAMS: Final = """
new york; ny, nyc: yankees, mets, knicks, giants, jets, rangers, islanders, liberty, red bulls
brooklyn; bkn: nets
los angeles; la, l a: dodgers, angels, lakers, clippers, rams, chargers, kings, sparks, galaxy
chicago; chi: cubs, white sox, bulls, bears, blackhawks, sky, fire
boston; bos: red sox, celtics, bruins
philadelphia; phi, philly: phillies, 76ers, eagles, flyers
toronto; tor: blue jays, raptors, maple leafs
tampa bay; tb, tampa: rays, buccaneers, lightning
baltimore; bal: orioles, ravens
houston; hou: astros, rockets, texans
texas; tex: rangers
oakland; oak: athletics
seattle; sea: mariners, seahawks, kraken, storm
minnesota; min: twins, timberwolves, vikings, wild, lynx
detroit; det: tigers, pistons, lions, red wings
cleveland; cle: guardians, cavaliers, browns
kansas city; kc: royals, chiefs
atlanta; atl: braves, hawks, falcons, dream
miami; mia: marlins, heat, dolphins
washington; was, wsh: nationals, wizards, commanders, capitals, mystics
st louis; stl: cardinals, blues
milwaukee; mil: brewers, bucks
cincinnati; cin: reds, bengals
pittsburgh; pit: pirates, steelers, penguins
arizona; ari: diamondbacks, cardinals
colorado; col: rockies, avalanche
san diego; sd: padres
san francisco; sf: giants, 49ers
golden state; gs, gsw: warriors
phoenix; phx: suns, mercury
sacramento; sac: kings
portland; por: trail blazers
denver; den: nuggets, broncos
utah; uta: jazz, mammoth
oklahoma city; okc: thunder
dallas; dal: mavericks, cowboys, stars, wings
san antonio; sa: spurs
memphis; mem: grizzlies
new orleans; no, nola: pelicans, saints
charlotte; cha: hornets
orlando; orl: magic
indiana; ind: pacers, fever
indianapolis; ind: colts
jacksonville; jax: jaguars
tennessee; ten: titans
buffalo; buf: bills, sabres
new england; ne: patriots
green bay; gb: packers
carolina; car: panthers, hurricanes
las vegas; lv, vegas: raiders, aces
vegas; vgk: golden knights
florida; fla: panthers
montreal; mtl: canadiens
ottawa; ott: senators
new jersey; nj: devils
columbus; cbj: blue jackets
nashville; nsh: predators
winnipeg; wpg: jets
edmonton; edm: oilers
calgary; cgy: flames
vancouver; van: canucks
anaheim; ana: ducks
san jose; sj: sharks
"""
#: Short names of some of these teams.
SHORT: Final = """
los angeles lakers; lakers, レイカーズ, лейкерс, лос-анджелес лейкерс, ロサンゼルス・レイカーズ, 洛杉矶湖人, 湖人
brooklyn nets; nets
detroit pistons; pistons
cleveland cavaliers; cavaliers, cavs
toronto raptors; raptors
indiana pacers; pacers
dallas mavericks; mavericks, mavs
memphis grizzlies; grizzlies
new orleans pelicans; pelicans
washington wizards; wizards
charlotte hornets; hornets
buffalo sabres; sabres
ottawa senators; senators
chicago blackhawks; blackhawks
colorado avalanche; avalanche
edmonton oilers; oilers
vancouver canucks; canucks
seattle kraken; kraken
columbus blue jackets; blue jackets
los angeles clippers; clippers, лос-анджелес клипперс, ロサンゼルス・クリッパーズ, 洛杉矶快船, 快船
los angeles dodgers; dodgers, ロサンゼルス・ドジャース, 洛杉矶道奇
golden state warriors; ウォリアーズ, голден стэйт уорриорз, ゴールデンステート・ウォリアーズ, 金州勇士, 勇士
boston celtics; celtics, бостон селтикс, ボストン・セルティックス, 波士顿凯尔特人
new york knicks; knicks, нью-йорк никс, ニューヨーク・ニックス, 纽约尼克斯
chicago bulls; bulls, чикаго буллз, シカゴ・ブルズ, 芝加哥公牛
miami heat; heat, майами хит, マイアミ・ヒート, 迈阿密热火
denver nuggets; nuggets, денвер наггетс, デンバー・ナゲッツ, 丹佛掘金
milwaukee bucks; bucks, милуоки бакс, ミルウォーキー・バックス, 密尔沃基雄鹿
philadelphia 76ers; sixers, philadelphia sixers, филадельфия 76
portland trail blazers; blazers, portland blazers, trail blazers
minnesota timberwolves; wolves minnesota, t wolves, minnesota wolves
new york yankees; yankees, нью-йорк янкиз, ニューヨーク・ヤンキース, 纽约扬基
boston red sox; red sox, бостон ред сокс, ボストン・レッドソックス
chicago white sox; white sox
toronto blue jays; blue jays
chicago cubs; chc cubs, chc
arizona diamondbacks; arizona d-backs, dbacks, d backs, arizona dbacks
toronto maple leafs; maple leafs, торонто мэйпл лифс
detroit red wings; red wings, детройт ред уингз
vegas golden knights; golden knights, las vegas golden knights, вегас голден найтс
tampa bay lightning; тампа-бэй лайтнинг, тампа бэй лайтнинг
washington capitals; caps, вашингтон кэпиталз
pittsburgh penguins; penguins, pens, питтсбург пингвинз
new york rangers; нью-йорк рейнджерс
new york islanders; нью-йорк айлендерс, isles
montreal canadiens; habs, монреаль канадиенс
san francisco 49ers; niners, 49ers
"""
#: Teams of esports.
ESPORTS: Final = """
natus vincere; navi, na'vi, нави
mouz; mousesports
virtus pro; virtus.pro, vp
ninjas in pyjamas; nip
edward gaming; edg
jd gaming; jdg
royal never give up; rng
bilibili gaming; blg
top esports; tes
weibo gaming; wbg
lng esports; lng
lgd gaming; lgd, psg lgd, psg.lgd
invictus gaming; ig
fun plus phoenix; fpx, funplus phoenix
evil geniuses; eg
team liquid; liquid, tl
team secret; secret
team spirit; spirit, спирит, тим спирит
team vitality; vitality
team falcons; falcons
team heretics; heretics
team solomid; tsm
cloud9; c9, cloud 9
fnatic; fnc
g2; g2 esports
faze; faze clan
dplus kia; dk, dplus, damwon kia, damwon
kt rolster; kt
hanwha life; hle, hanwha life esports
drx; dragonx
kwangdong freecs; kdf
nongshim redforce; ns, ns redforce
gen g; gen.g, geng
excel; xl, excel esports
schalke 04; s04
sk gaming; sk
rogue; rogue esports
og
astralis
heroic
"""
#: Teams of other sports.
OTHERS: Final = """
lokomotiv yaroslavl; локомотив ярославль, lokomotiv hc yaroslavl
loko yaroslavl; локо ярославль, loko
ska saint petersburg; ska st petersburg, ska, ска, ска санкт-петербург, ska st. petersburg, ska saint-petersburg
ska neva; ska-neva, ска-нева, ska neva st petersburg
delhi capitals; delhi daredevils, dc delhi
punjab kings; kings xi punjab, kxip, pbks
royal challengers bengaluru; rcb, royal challengers bangalore, rc bengaluru, rc bangalore
chennai super kings; csk
mumbai indians; mi mumbai
kolkata knight riders; kkr
sunrisers hyderabad; srh
rajasthan royals
lancashire; lancs
yorkshire; yorks
nottinghamshire; notts
northamptonshire; northants
warwickshire; warks
worcestershire; worcs
gloucestershire; glos, gloucs
hampshire; hants
leicestershire; leics
derbyshire; derbys
yomiuri giants; 読売ジャイアンツ, 巨人
hanshin tigers; 阪神タイガース, 阪神
chunichi dragons; 中日ドラゴンズ
yakult swallows; tokyo yakult swallows, ヤクルトスワローズ, 東京ヤクルトスワローズ
hiroshima carp; hiroshima toyo carp, 広島東洋カープ
yokohama baystars; yokohama dena baystars, 横浜denaベイスターズ
softbank hawks; fukuoka softbank hawks, 福岡ソフトバンクホークス
nippon ham fighters; hokkaido nippon ham fighters, 北海道日本ハムファイターズ
seibu lions; saitama seibu lions, 埼玉西武ライオンズ
lotte marines; chiba lotte marines, 千葉ロッテマリーンズ
orix buffaloes; オリックスバファローズ, オリックス・バファローズ
rakuten eagles; tohoku rakuten golden eagles, 東北楽天ゴールデンイーグルス
samsung lions; 삼성 라이온즈
lg twins; LG 트윈스
kia tigers; KIA 타이거즈
doosan bears; 두산 베어스
lotte giants; 롯데 자이언츠
ssg landers; SSG 랜더스
kiwoom heroes; 키움 히어로즈
hanwha eagles; 한화 이글스
nc dinos; NC 다이노스
kt wiz; KT 위즈
sri lanka; sl
west indies; wi, w indies, windies
dr congo; congo democratic republic
"""
#: American colleges whose short names are not abbreviations of their words.
COLLEGES: Final = """
unc greensboro; north carolina greensboro, uncg
unc wilmington; north carolina wilmington, uncw
unc asheville; north carolina asheville
north carolina at; north carolina a&t, n carolina a&t, nc a&t
north carolina central; n carolina central, nc central
virginia military; vmi, virginia military institute
georgia tech; ga tech
louisiana tech; la tech
middle tennessee; mtsu, middle tennessee state, middle tenn
illinois chicago; uic
purdue fort wayne; pfw, ipfw, fort wayne
texas rio grande valley; utrgv
south florida; usf
southern mississippi; southern miss
louisiana monroe; ul monroe
louisiana; ul lafayette, louisiana lafayette
little rock; ualr, arkansas little rock
uc santa barbara; ucsb
uc san diego; ucsd
maryland baltimore county; umbc
connecticut; uconn, uconn huskies
massachusetts; umass, massachusetts minutemen
mississippi; ole miss, ole miss rebels
mississippi state; miss state, miss st
southern california; usc, usc trojans, southern cal
louisiana state; lsu, lsu tigers
texas christian; tcu, tcu horned frogs
southern methodist; smu, smu mustangs
brigham young; byu, byu cougars
central florida; ucf, ucf knights
nevada las vegas; unlv, unlv rebels
texas el paso; utep, utep miners
texas san antonio; utsa, utsa roadrunners
virginia commonwealth; vcu, vcu rams
alabama birmingham; uab, uab blazers
pittsburgh; pitt, pitt panthers, pittsburgh panthers
pennsylvania; penn, penn quakers
california; cal, cal golden bears, california golden bears
california los angeles; ucla, ucla bruins
north carolina; unc, north carolina tar heels, n carolina, unc tar heels
north carolina state; nc state, n c state, nc state wolfpack
florida international; fiu, fiu panthers
florida atlantic; fau, fau owls
east carolina; ecu
texas am; texas a&m, texas a & m, texas am aggies, texas a&m aggies
miami florida; miami (fl), miami fl, miami hurricanes
miami ohio; miami (oh), miami oh, miami (ohio), miami redhawks, miami (oh) redhawks
"""

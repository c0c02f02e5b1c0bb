/**
 * The wordings that call for a fixed answer, as data (docs/spec/fixed-answers.md). Patterns see English and other Latin scripts without
 * case, accents and punctuation, with apostrophes closed up ("don't" is `dont`); the other scripts are sought as they stand.
 */

export type Topic = 'crisis' | 'danger' | 'health';

/** Words worth finding through a typing error: at most `slips` letters wrong, missing, doubled or swapped, and the first one right. */
export const WITH_SLIPS: readonly { readonly word: string; readonly slips: 1 | 2 }[] = [
	{ word: 'suicide', slips: 2 },
	{ word: 'suicidal', slips: 2 },
	{ word: 'myself', slips: 1 },
	{ word: 'overdose', slips: 1 },
	{ word: 'poison', slips: 1 },
	{ word: 'poisoned', slips: 1 },
	{ word: 'poisoning', slips: 1 },
	{ word: 'emergency', slips: 2 },
	{ word: 'violence', slips: 1 },
	{ word: 'medicine', slips: 1 },
	{ word: 'medication', slips: 1 },
	{ word: 'headache', slips: 1 },
	{ word: 'paracetamol', slips: 2 },
	{ word: 'ibuprofen', slips: 2 },
	{ word: 'antibiotics', slips: 2 },
	{ word: 'pregnant', slips: 1 },
	{ word: 'symptoms', slips: 1 },
	{ word: 'diabetes', slips: 1 },
	{ word: 'bleeding', slips: 1 },
	{ word: 'ambulance', slips: 1 },
	{ word: 'depressed', slips: 1 },
	{ word: 'depression', slips: 1 },
	{ word: 'unconscious', slips: 2 }
];

/** Ordinary words that lie that near to one of the above. */
export const NOT_A_SLIP: ReadonlySet<string> = new Set([
	...['subside', 'suicides', 'prison', 'poisons', 'emergence', 'emergent', 'emergencies', 'meditation', 'dedication'],
	...['breeding', 'bleedings', 'overdone', 'overdoes', 'medicines', 'medications', 'headaches', 'depressing'],
	...['unconsciously', 'violent', 'mediation', 'symptom', 'pleading', 'dictation']
]);

/** Things with which the frightening words are harmless. Taken out before anything is sought. */
const THINGS =
	'relay|process|server|tab|tabs|job|jobs|task|app|program|engine|thread|connection|switch|worker|browser|session|command|container|daemon|script|light|lights|pid|network|bug|bugs|weed|weeds|node|peer|executor|router|service|window|query|request|music|vibe|mood|time';
const DEVICES =
	'computer|laptop|phone|pc|mac|browser|car|printer|battery|wifi|router|tab|gpu|cpu|machine|device|disk|drive|screen|keyboard|mouse|tablet|server|relay|engine|app|website|site|code|program|internet|connection|plant|camera|radio|tv';

export const HARMLESS: readonly RegExp[] = [
	new RegExp(
		`\\bkill(?:s|ed|ing)? (?:off )?(?:the |a |an |my |this |that |all |your |every |some )*(?:${THINGS})\\b`,
		'g'
	),
	/\b(?:kill switch|killer (?:app|feature|whales?)|kill 9|killed it|buzz ?kill|painkiller app|overkill)\b/g,
	new RegExp(
		`\\b(?:my |the |this |our |your )?(?:\\w+ )?(?:${DEVICES})s? (?:is |are |was |has |just |got |feels |seems |looks |keeps )*(?:a )?(?:sick|ill|dead|dying|dies|died|die|infected|virus|on fire|burning|bleeding|hurts?|fever|overheating|poisoned|unconscious)\\b`,
		'g'
	),
	/\b(?:computer|email|software|mac|windows|android) virus(?:es)?\b|\banti ?virus\b/g,
	/\b(?:dying|die) (?:to (?:know|see|try|hear|meet)|of laughter|laughing|for (?:a|some|pizza|coffee|chocolate))\b/g,
	/\bdead (?:link|links|end|line|lock|code|pixel|pixels|peer|relay|tab|battery|reckoning|sea)\b/g,
	/\b(?:dns|cache|data|prompt|model|table) poison(?:ing|ed)?\b|\bpoison (?:pill|frogs?|dart|ivy|message|queue)\b/g,
	/\bsuicide squad\b|\bdie hards?\b|\bdrug ?stores?\b|\bstack overflow\b|\bhealth ?(?:endpoint|check|checks|point)\b/g,
	/\b(?:great|tropical|economic|air) depression\b|\bdepression of (?:1929|the)\b/g,
	/\b(?:bleeding edge|cold (?:start|storage|war|boot)|pain points?|key ?stroke|stroke (?:width|order|color)|heart of|dose of (?:fun|reality|humou?r|luck))\b/g,
	/\babuse of (?:notation|power|the (?:network|system|relay|api))\b|\b(?:rate|relay|api|network|prevent|stop|against) (?:limit )?abuse\b/g,
	/\b(?:bath|photo|fork|logic|zip|time) bombs?\b|\b(?:nerf|glue|water|heat|staple) guns?\b|\btop gun\b/g,
	/\b(?:emergency (?:contact|exit|brake|room show|landing page|release|fix|meeting))\b/g,
	/\b(?:memory|fuel|oil|data|resource) leak\b|\bgas (?:fee|fees|giant|giants|price|prices|station|mileage|limit)\b/g,
	/\bcut (?:my|the) (?:arm|leg)s? off (?:the|a)\b/g,
	/\b(?:crash|panic) (?:report|log|handler|mode)\b|\bkernel panic\b/g,
	/\bburn(?:ed|t|ing)? (?:my |the |a )?(?:cd|dvd|iso|disc|toast|bridges?|calories|rate|out chart|down chart)\b/g,
	/\b(?:shoot|shooting) (?:a |an |the |some |me a |me an )?(?:video|photo|photos|film|hoops|email|message|star|stars)\b/g
];

/** A story or a poem may hold danger and illness; whoever asks for one is not in it. Crisis is matched all the same. */
export const FICTION =
	/^(?:please |can you |could you |would you )*(?:tell|write|make|give|read|sing|recite)(?: me| us)? (?:a|an|another|the|one|some)(?: \w+){0,2} (?:story|stories|poem|poems|joke|tale|song|fable)\b/;

export const PATTERNS: Readonly<Record<Topic, readonly RegExp[]>> = {
	crisis: [
		/\bsuicid|\bself ?harm|\bself ?injur|\bselfharm|\bparasuicid|\bunalive|\bsewer ?slide\b/,
		/\bk(?:m|y)s\b|\bktms\b|\bkms\b/,
		/\b(?:k+i+l+|murder|off|hang|shoot|stab|drown|starv|burn|hurt|harm|injur|cut|punish|end|poison|strangl|suffocat|gas|electrocut|hat|destroy)(?:e|es|s|ed|t|ing|ting|ning)? (?:myself|my self|himself|herself|themsel(?:f|ves)|hisself|her self|him self|yourself|ourselves)\b/,
		/\bk+i+l+ me\b|\bput me out of\b/,
		/\b(?:cut|cutting|slit|slitting|slash|slashing) (?:my|her|his|their)? ?(?:wrists?|arms?|legs?|thighs?|veins?|skin|throat)\b/,
		/\b(?:end|ending|ended|take|taking|took|finish) (?:my|her|his|their|ones|your) (?:own )?(?:life|lives)\b/,
		/\b(?:end|ending|finish) (?:it|everything) ?(?:all|tonight|now|today|for good|once and for all)\b/,
		/\b(?:want|wants|wanted|wanting|wanna|like|need|going|gonna|ready|wish|hope|plan|planning|about|try|trying|prefer|deserve|rather)s? (?:to |2 |i could |just )*(?:die|be dead|be gone|disappear forever|not exist|not be alive|never wake up|stop existing|stop living)\b/,
		/\b(?:wish|wished|if) i (?:was|were|am|had|could be|could just be|just)? ?(?:dead|never (?:been )?born|not (?:alive|here|born)|die|died)\b/,
		/\b(?:better|best) (?:off )?(?:dead|if i (?:was|were) (?:dead|gone|not here)|without me)\b|\bworld (?:would be |is )?better without me\b/,
		/\b(?:dont|do not|doesnt|does not|didnt|no longer|never|not|cant|cannot) (?:\w+ ){0,2}(?:want|wanna|wants|care) (?:to |2 |if i )?(?:live|be alive|exist|be here|wake up|go on|be on this (?:earth|planet)|continue living)\b/,
		/\b(?:no|any|what is the|whats the|see no|see any) (?:reason|point|use|purpose) (?:to|in|of|for) (?:me to )?(?:live|living|life|go on|going on|being alive|existing|stay alive|continue)\b/,
		/\b(?:cant|cannot|can not|couldnt) (?:\w+ )?(?:go on|take (?:it|this|life) (?:any ?more|any longer)|do (?:it|this) any ?more|live (?:like this|any ?more|with myself|with this|without)|cope|bear (?:it|this)(?: any ?more)?|keep going|keep living)\b/,
		/\b(?:tired|sick|done|fed up|bored) (?:of|with) (?:living|life|being alive|existing|my life)\b/,
		/\b(?:hate|hating|loathe) (?:my life|myself|being alive|living|my existence)\b|\bgiv(?:e|en|ing) up on (?:life|living|myself)\b/,
		/\b(?:life|living|my life|it) (?:is|isnt|isn t|feels|seems|has become|has no|just is|is just)? ?(?:not |no longer |so |too )?(?:worth living|worthless|meaningless|pointless|unbearable|no meaning|over for me)\b/,
		/\b(?:feel|feeling|felt|am|im|i m) (?:\w+ )?(?:hopeless|worthless|desperate|suicidal|so alone|like dying|like a burden|like giving up|like ending|empty inside|in despair|dead inside)\b|\bdespair(?:ing)?\b/,
		/\b(?:nobody|no one|noone) (?:would|will|ll|d)? ?(?:miss|care if i|notice if i|even care)\b|\bburden (?:to|on) (?:everyone|everybody|my|them|others|people)\b/,
		/\b(?:painless|easy|easiest|quick|quickest|fastest|best|gentle) (?:way|ways|method|methods|death|means)(?: of| to)? ?(?:die|dying|death|end (?:it|my|everything|life)|killing)?\b(?<=die|dying|death|it|my|everything|life|killing|painless (?:way|ways|method|methods))/,
		/\bways? to (?:die|end (?:it|my)|kill (?:my|your))\b|\bhow (?:to|do i|can i|could i) (?:die|disappear forever)\b|\bhow (?:many|much) (?:\w+ )?(?:\w+ )?(?:to|will|would|it takes? to) (?:die|kill|be lethal)\b/,
		/\blethal dos(?:e|age)\b|\b(?:tie|make|tying|making) a noose\b|\bsuicid\w* note\b|\bgoodbye (?:letter|note|cruel world|world)\b|\bsay goodbye to everyone\b/,
		/\bjump(?:ing)? (?:off|from|in front of) (?:a |the |my |this )?(?:bridge|roof|building|balcony|train|window|cliff|car|bus|truck)\b/,
		/\b(?:nothing|not anything) (?:left )?to live for\b|\bdont see a future\b|\bnothing matters any ?more\b|\bmake (?:it|the pain) (?:all )?(?:stop|go away)$|\bnot wake up\b/,
		/\b(?:need|want) (?:it|everything|the pain|this|all of this) to (?:stop|end|be over)\b|\bend (?:the|my) (?:pain|suffering)\b/,
		/\bsomeone (?:i know|close to me) (?:wants|is going) to die\b|\b(?:talks?|talking|thinks?|thinking|thought) (?:about|of) (?:dying|death|killing (?:my|him|her|them)|ending|not being here)\b/,
		/\b(?:see|find|need|want|is|be|theres|know) (?:a |an |no |any |the |my )?(?:other |only )?way out\b|\bi want out$|\bto be gone\b|\b(?:dying|death) (?:really )?(?:hurts?|painful|peaceful)\b|\bhurts? to die\b/,
		/\blife (?:has|have|had|has lost|lost) (?:no |its |all |any )*(?:meaning|purpose|sense|point)\b|\b(?:bought|buying|have|got) (?:a |the |some )?rope\b|\bcant stop crying\b|\bcry(?:ing)? (?:all|every) (?:day|night|the time)\b/,
		/\b(?:when|after|once|if) i ?(?:a?m|was|were)? gone\b|\bif i (?:just )?(?:wasnt|werent|was not|were not|vanished|disappeared|died)\b|\bmake it (?:to|through|until) (?:tomorrow|the night|tonight|morning)\b|\b(?:jump|jumping) (?:\w+ ){0,6}bridge\b|\bcutting (?:again|helps|makes me|feels)\b|\b(?:to|gonna) od\b/,
		/\bvoices? (?:tells?|telling|says?|saying|in my head|want)\b|\b(?:nobody|no one|noone) (?:\w+ )?(?:loves?|cares?|likes?|wants?|needs?)(?: about)?(?: me)?$|\b(?:nobody|no one|noone) (?:\w+ )?(?:loves?|likes?|wants?|needs?) me\b|\b(?:so|very|completely) (?:alone|lonely)\b|\b(?:nobody|no one) to talk to\b/,
		/\b(?:swallow|swallowing|take|taking|took) (?:\w+ )?all (?:of )?(?:my |the |these |those )?(?:\w+ )?(?:pills|tablets|meds|medication|medicine)\b/,
		// Spanish, Portuguese, French, Italian, German, Turkish; accents are gone by now.
		/\b(?:matarme|quitarme la vida|quiero morir|quiero morirme|no quiero vivir|no quiero seguir|cortarme|hacerme dano|autolesion\w*|me quiero morir|me quiero matar|quiero matarme|quero morrer|nao quero viver|me matar|envie de mourir|veux mourir|me tuer|plus envie de vivre|voglio morire|uccidermi)\b/,
		/\b(?:selbstmord\w*|suizid\w*|mich umbringen|bring(?:e)? mich um|will sterben|nicht mehr leben|ritze mich|mir das leben nehmen)\b/,
		/\bintihar|\bkendimi oldur|\bolmek istiyor|\bkendime zarar|\byasamak istemiyor|\bbileklerimi kes|\bcanima kiy/
	],
	danger: [
		/\bpoison|\btoxic (?:fumes?|gas|mushroom|plant|chemical)|\boverdos|\bod(?:ed|ing)\b|\bcarbon monoxide|\bvenom/,
		/\b(?:drank|drunk|drink|drinking|swallow(?:ed|ing|s)?|ate|eaten|inhaled|inhale|mix|mixed|mixing) (?:\w+ ){0,3}(?:bleach|detergent|cleaner|antifreeze|gasoline|petrol|ammonia|acid|battery|batteries|chemicals?|pesticide|rat bait|nail polish|lighter fluid|magnets?|mushrooms?|glass)\b/,
		/\btook (?:\w+ )?(?:too many|all (?:my|the|of)|\d+|a (?:whole )?(?:lot|bottle|handful)) (?:of )?(?:my |the )?(?:\w+ )?(?:pills?|tablets?|sleeping|medicine|meds|medication)\b|\btoo many (?:pills|tablets|meds)\b/,
		/\bgas leak|\bsmell(?:s|ing)? (?:of |like )?(?:\w+ )?gas\b|\bgas smell|\bleaking gas|\bsmell(?:s|ing)? (?:of |like )?(?:burning|smoke)\b/,
		/\b(?:house|home|kitchen|room|building|apartment|flat|car|stove|oven|pan|oil|school|office|roof|garage|bed|clothes|hair|forest|child|baby|someone|somebody|man|woman|person|everything) (?:is |are |caught |has caught )+(?:on )?(?:fire|burning|in flames)\b|\bthere(?:s| is) (?:a )?(?:fire|smoke)\b|^(?:fire|help fire|fire fire|fire help)$|\bcatch(?:es|ing)? fire\b|\bput out (?:a|an|the) (?:\w+ )?fire\b/,
		/\b(?:domestic|sexual|physical|child|elder|family|emotional|gun) (?:violence|abuse|assault)\b|\bviolence\b|\babus(?:e|ed|es|ing|ive)\b|\brap(?:e|ed|es|ing|ist)\b|\bmolest|\bassault|\bharass(?:ed|ing|es|ment)?\b|\bgrooming\b|\btraffick/,
		/\b(?:he|she|they|husband|wife|partner|boyfriend|girlfriend|father|mother|dad|mum|mom|parent|parents|brother|sister|uncle|boss|ex|teacher|man|someone|somebody|stepdad|stepfather|neighbou?r) (?:\w+ ){0,2}(?:hit|hits|hitting|beat|beats|beating|hurt|hurts|hurting|chok(?:e|es|ed|ing)|strangl(?:e|es|ed|ing)|punch(?:es|ed)?|kick(?:s|ed)?|slap(?:s|ped)?|threaten(?:s|ed|ing)?|stalk(?:s|ed|ing)?|follow(?:s|ed|ing)?|touch(?:es|ed|ing)?|attack(?:s|ed|ing)?|lock(?:s|ed)|forc(?:es|ed|ing)) (?:me|us|my|our|her|him|(?:his|the|their) (?:wife|husband|kids?|child|children|son|daughter|girlfriend|mother|dog|baby))\b/,
		/\b(?:being|been|getting|got|am|was) (?:followed|stalked|beaten|attacked|threatened|kidnapped|held|robbed|mugged|stabbed|shot|trapped|strangled|blackmailed)\b|\bkidnap|\bhostage\b|\bblackmail/,
		/\b(?:someone|somebody|man|stranger|burglar|intruder|thief) (?:\w+ )?(?:is |is trying to |trying to |has |just )*(?:break|breaking|broke|broken|outside my|in my|inside my|at my)\b|\bintruder|\bburglar|\bbreak(?:ing)? into my (?:house|home|flat|apartment|room)\b/,
		/\b(?:bomb|bombs|explosives?|detonator|grenade|molotov|napalm|nerve gas|sarin|ricin|anthrax)\b|\bpipe bomb|\b(?:make|build|buy|get|print|have|has|with|a|load) (?:a |an |the )?(?:gun|weapon|firearm|pistol|rifle)s?\b|\bschool shoot|\bactive shooter|\bmass shoot/,
		/\b(?:kill|kills|killing|murder|murdering|stab|stabbing|shoot|shooting|hurt|hurting|attack|attacking|strangle) (?:a |an |the |my |some|another |this |that |his |her |these |those )*(?:person|people|someone|somebody|him|her|them|one|body|wife|husband|mother|father|mom|mum|dad|brother|sister|child|children|kid|kids|baby|boss|neighbou?r|teacher|ex|girlfriend|boyfriend|man|woman|everyone|human|humans|dog|cat)\b|\bmurder(?:ed|er)?\b|\bget away with murder\b/,
		/\belectric shock|\belectrocut|\bdrown(?:ing|ed|s)?\b|\b(?:snake|spider|dog|scorpion|shark|bat|tick) ?bit(?:e|ten)?\b|\bbitten by\b|\bstung by\b|\bavalanche\b|\btrapped (?:in|under|inside)\b/,
		/\bemergenc(?:y|ies)\b|\b(?:call|dial|phone|ring) (?:911|112|999|000|110|119|the police|an ambulance|for help)\b|\bin danger\b|\bnot safe (?:at|in|here|with)\b|\bunsafe at home\b|\bafraid (?:for my life|he will|she will|to go home)\b/,
		/^(?:please |somebody |someone |pls |plz )*help me(?: please| pls| now| out here)?$|^(?:sos|mayday|help help|help help help)$|\bsave me\b$|\bi need help (?:now|right now|immediately|urgently|fast)\b|\b(?:somebody|someone|anybody|anyone) (?:please )?help\b/,
		/\b(?:collapsed|fell|fallen) (?:\w+ ){0,4}(?:not|doesnt|isnt|wont|cant) (?:answer|respond|wake|mov|get up|react)|\b(?:wont|not|doesnt|isnt|cant) (?:wake up|waking up|responding|respond)\b|\b(?:dead body|a corpse)\b|\b(?:spiked|roofied|drugged)\b|\bdrugs?\b|\bwith a (?:knife|gun|machete|bat)\b|\b(?:touched|groped|grabbed|attacked|threatened|hit|followed) me\b|\b(?:can|could|will) (?:you|i|one|he|she|we) die (?:from|of|if)\b|\b(?:deadly|poisonous|edible) mushrooms?\b|\bmushrooms? (?:are|is) (?:deadly|poisonous|edible|safe)\b/,
		/\b(?:heroin|fentanyl|cocaine|crack pipe|meth|methamphetamine|ketamine|opioids?|opiates?|mdma|ecstasy pills?|lsd|ghb|huff(?:ing)? (?:glue|gas|paint))\b/,
		// Spanish, Portuguese, French, German, Turkish.
		/\b(?:socorro|auxilio|emergencia|ayudenme|ayudame por favor|envenen\w*|veneno|sobredosis|incendio|fuga de gas|huele a gas|violencia|abuso|abusan|abusaron|violada|violaron|violacion|me pega|me golpea)\b/,
		/\b(?:au secours|urgence|empoisonn\w*|incendie|fuite de gaz|viol|violee|notruf|notfall|hilfe bitte|vergift\w*|feuer im|gasgeruch|uberdosis|vergewaltig\w*)\b/,
		/\bimdat\b|\bacil\b|\byardim edin\b|\bkurtarin\b|\bzehir|\basiri doz\b|\byangin\b|\bgaz (?:kacagi|kokusu)\b|\bsiddet\b|\btecavuz|\bistismar|\bambulans\b/
	],
	health: [
		/\b(?:medicine|medicines|medication|medications|meds|medical|paracetamol|acetaminophen|ibuprofen|tylenol|advil|aspirin|naproxen|codeine|morphine|xanax|valium|prozac|zoloft|adderall|ritalin|viagra|antibiotics?|penicillin|amoxicillin|insulin|antidepressants?|antihistamine|laxatives?|steroids?|vaccin\w*|dosage|doses?|pills?|painkillers?|prescri\w*|side effects?|contracepti\w*|birth control|vitamin d|supplements?)\b/,
		/\b(?:symptoms?|diagnos\w*|diseases?|illness(?:es)?|sickness|infections?|inflammation|fever|headaches?|migraines?|nausea|nauseous|vomit\w*|throwing up|threw up|diarrh\w*|constipat\w*|bleed\w*|hemorrhag\w*|cancer|tumou?rs?|leukemia|diabet\w*|hypertension|cholesterol|seizures?|epilep\w*|asthma\w*|allerg\w*|anaphyla\w*|eczema|pregnan\w*|miscarr\w*|abortions?|concussion|fractur\w*|sprain\w*|tetanus|rabies|pneumonia|bronchitis|hepatitis|hiv|aids|herpes|chlamydia|stds?|stis?|covid|coronavirus|influenza|malaria|tuberculosis|measles|chickenpox|dementia|alzheimers?|parkinsons?|autism|adhd|bipolar|schizophreni\w*|psychosis|psychotic|ptsd|anorexi\w*|bulimi\w*|eating disorder|insomnia|overweight|obes\w*)\b/,
		/\b(?:depressed|depression|anxiety|panic attacks?|hallucinat\w*|hearing voices|nervous breakdown|burnout|postpartum|traumati[sz]ed|addict(?:ed|ion)?|withdrawal symptoms|alcoholi\w*|hungover|hangover)\b/,
		/\b(?:heart attack|cardiac|stroke|chest pains?|blood (?:pressure|sugar|clot|test|type)|first aid|cpr|heimlich|chok(?:e|es|ed|ing)\b(?! point)|unconscious|passed out|faint(?:ed|ing|s)?|dizzy|dizziness|cant breathe|cannot breathe|not breathing|stopped breathing|trouble breathing|short(?:ness)? of breath|stitches|ambulance|hospital|surgery|er visit|x ?ray|mri|ct scan)\b/,
		/\b(?:broke|broken|burned|burnt|burns|burn|cut|hit|twisted|sprained|dislocated|injured|hurt|scalded|bruised|swollen|itchy|infected|numb|bleeding) (?:my |his |her |their |a |an |the |in my |on my )*(?:arm|leg|hand|finger|fingers|thumb|foot|feet|toe|toes|knee|ankle|wrist|elbow|shoulder|neck|back|head|face|eye|eyes|ear|ears|nose|tooth|teeth|mouth|tongue|lip|lips|skin|stomach|belly|chest|rib|ribs|bone|bones|throat|hip)\b/,
		/\b(?:my|his|her|their|babys?|childs?|sons?|daughters?|the) (?:\w+ )?(?:arm|leg|hand|finger|foot|feet|toe|knee|ankle|wrist|elbow|shoulder|neck|back|head|face|eye|eyes|ear|ears|nose|tooth|teeth|throat|skin|stomach|tummy|belly|chest|heart|lungs?|liver|kidneys?|bones?|hip|muscles?) (?:\w+ ){0,2}(?:hurts?|hurting|aches?|aching|sore|pain|pains|painful|ringing|swollen|numb|itch\w*|bleed\w*|burning|broken|infected|racing|stiff|tingling|cramps?)\b/,
		/\b(?:pain|pains|ache|aches|rash|lump|lumps|swelling|numbness|cramps?|itching|bruise|bruises|wound|wounds|blister|burn|bite|sting) (?:in|on|under|around|behind|when|after|near) (?:my|his|her|the|a|their|i|peeing|eating|urinat\w*)\b|\b(?:stomach|tooth|ear|back|belly|tummy|muscle|joint|neck|knee|head) ?(?:ache|aches|pain|pains|cramps)\b|\bsore throat\b|\brunny nose\b|\bstuffy nose\b|\bcough(?:ing|s)?\b/,
		/\b(?:i|im|i m|am|he|she|hes|shes|we|they|baby|child|son|daughter|kid|mother|father|mom|mum|dad|grandma|grandpa|wife|husband|friend|brother|sister|girlfriend|boyfriend|dog|cat) (?:\w+ ){0,2}(?:is |am |feel |feels |feeling |felt |got |get |look |looks |was |been )+(?:\w+ )?(?:sick(?! of)|ill|unwell|feverish|poorly|dizzy|faint|hurt|injured|in pain|wounded|dehydrated|hypothermic)\b|\bfeel(?:ing|s)? (?:really |very |so |a bit |kind of )?(?:sick(?! of)|ill|unwell|dizzy|faint|weak|nauseous)\b/,
		/\b(?:see|call|need|visit|ask|find|to|to a) (?:a |an |the |my )?(?:doctor|nurse|gp|physician|dentist|psychiatrist|psychologist|therapist|pharmacist|vet)\b|\b(?:the|common|bad|a) (?:flu|cold)\b(?! (?:start|war|storage|day|place|country|winter|drink|water|beer|case))|\bhow (?:do i|to|can i|do you) (?:treat|cure|heal|stop the bleeding|lower my|lose weight|sleep better|bandage|splint)\b|\bis it safe to (?:take|eat|drink|swallow|give|mix)\b|\bcant sleep\b|\bhow much (?:\w+ )?(?:should|can) (?:i|a child|my \w+) (?:take|give)\b|\b(?:normal|resting|high|low|my) (?:pulse|heart rate|temperature)\b|\bperiods? (?:is |are |was )?(?:late|pain|pains|cramps?|missed|heavy)\b|\bmissed (?:my |a )?period\b|\b(?:acne|pimples|tinnitus|poop|stool|urine|menopause|menstruat\w*)\b|\bheart (?:is |keeps |feels like it is )?(?:skipping|racing|pounding|fluttering)\b|\bsleeping (?:pills?|tablets?)\b|\b(?:my|this|a) mole\b|\bwhy am i (?:always |so |still )+(?:\w+ and )?(?:tired|thirsty|cold|hungry|exhausted)\b|\bup (?:my|his|her) nose\b|\bhome remed|\bmental health\b|\bmental illness\b|\bhealth (?:advice|problem|problems|question|issue|issues|insurance claim)\b/,
		// Spanish, Portuguese, French, German, Turkish.
		/\b(?:medicamentos?|medicinas?|pastillas?|dosis|fiebre|dolor de|embaraz\w*|depresion|sangrando|sangrado|infarto|sintomas?|me duele|enferm[oa]|remedios?|febre|gravida)\b/,
		/\b(?:medicaments?|fievre|mal (?:a la tete|au ventre|de tete)|enceinte|symptomes?|malade|medikament\w*|tabletten|fieber|kopfschmerzen|schmerzen|schwanger|krank|arzt|symptome?)\b/,
		/\bilac|\bbasim agri|\bbas agri|\bkarnim agri|\bhamile|\bdepresyon|\bkanser\b|\bkanama|\bkalp krizi|\bhastayim|\bhastalik|\batesim var/
	]
};

/** Other scripts, sought as they stand: the words for suicide, for help and for an emergency, and what goes with them. */
export const OTHER_SCRIPTS: Readonly<Record<Topic, readonly string[]>> = {
	crisis: [
		// Chinese, Japanese, Korean
		...[
			'自杀',
			'自殺',
			'自尽',
			'自盡',
			'轻生',
			'輕生',
			'想死',
			'想去死',
			'不想活',
			'活不下去',
			'自残',
			'自殘',
			'自伤',
			'自傷',
			'割腕'
		],
		...['结束生命', '結束生命', '结束自己', '結束自己', '寻死', '尋死', '遗书', '遺書', '跳楼', '跳樓'],
		...['死にたい', '消えたい', '自傷', 'リストカット', '자살', '죽고 싶', '죽고싶', '자해'],
		// Arabic (أ إ آ are ا by now), Persian
		...[
			'انتحار',
			'انتحر',
			'اقتل نفسي',
			'قتل نفسي',
			'اريد ان اموت',
			'اريد الموت',
			'بدي موت',
			'عايز اموت',
			'ايذاء نفسي',
			'اؤذي نفسي'
		],
		...['لا اريد ان اعيش', 'لا اريد العيش', 'انهي حياتي', 'انهاء حياتي'],
		...[
			'خودکشی',
			'خود کشی',
			'خودم را بکشم',
			'خودمو بکشم',
			'بمیرم',
			'خودزنی',
			'نمیخوام زنده',
			'نمی خواهم زنده',
			'به زندگیم پایان'
		],
		// Russian, Ukrainian
		...[
			'самоубий',
			'суицид',
			'суїцид',
			'самогуб',
			'покончить с собой',
			'покончу с собой',
			'хочу умереть',
			'хочу померти',
			'хочу сдохнуть'
		],
		...[
			'убить себя',
			'убью себя',
			'вбити себе',
			'не хочу жить',
			'не могу больше',
			'не хочу жити',
			'режу себя',
			'резать себя',
			'порезать вены',
			'вскрыть вены',
			'селфхарм',
			'повеситься',
			'повешусь'
		],
		// Burmese, Hindi
		...['သတ်သေ', 'ကိုယ့်ကိုယ်ကိုယ်သတ်', 'ကိုယ့်ကိုယ်ကိုသတ်', 'သေချင်', 'အသက်မရှင်ချင်', 'मरना चाहत', 'आत्महत्या', 'जीना नहीं चाहत', 'खुदकुशी']
	],
	danger: [
		...[
			'救命',
			'救我',
			'帮帮我',
			'幫幫我',
			'紧急',
			'緊急',
			'急救',
			'求救',
			'报警',
			'報警',
			'中毒',
			'毒药',
			'毒藥',
			'煤气',
			'煤氣',
			'瓦斯'
		],
		...[
			'打我',
			'安眠药',
			'安眠藥',
			'着火',
			'著火',
			'起火',
			'火灾',
			'火災',
			'家暴',
			'强奸',
			'強姦',
			'虐待',
			'杀人',
			'殺人',
			'助けて',
			'救急',
			'火事',
			'살려',
			'응급',
			'긴급',
			'도와주세요'
		],
		...[
			'النجدة',
			'النجده',
			'انقذوني',
			'انقذني',
			'ساعدوني',
			'ساعدني',
			'طوارئ',
			'اسعاف',
			'تسمم',
			'مسموم',
			'حريق',
			'اغتصاب',
			'عنف',
			'يضربني',
			'تسرب غاز',
			'جرعة زائدة'
		],
		...[
			'کمکم کن',
			'کمک کنید',
			'نجاتم',
			'اورژانس',
			'اضطراری',
			'مسموم',
			'اتش سوزی',
			'اتش‌سوزی',
			'نشت گاز',
			'بوی گاز',
			'تجاوز',
			'خشونت',
			'کتکم',
			'کتک می',
			'امبولانس'
		],
		...[
			'помогите',
			'спасите',
			'на помощь',
			'экстренн',
			'скорая помощь',
			'скорую',
			'отрав',
			'пожар',
			'горит дом',
			'запах газа',
			'пахнет газом',
			'утечка газа',
			'насили',
			'изнасил',
			'бьет меня',
			'бьёт меня',
			'передоз',
			'допоможіть',
			'рятуйте'
		],
		...[
			'ကယ်ပါ',
			'ကယ်ကြပါ',
			'ကူညီပါ',
			'ကူညီကြပါ',
			'အရေးပေါ်',
			'အဆိပ်',
			'မီးလောင်',
			'အကြမ်းဖက်',
			'မုဒိမ်း',
			'मदद करो',
			'बचाओ',
			'आपातकाल',
			'ज़हर',
			'जहर'
		]
	],
	health: [
		...[
			'生病',
			'发烧',
			'發燒',
			'头痛',
			'頭痛',
			'头疼',
			'頭疼',
			'吃药',
			'吃藥',
			'药物',
			'藥物',
			'剂量',
			'劑量',
			'症状',
			'症狀',
			'怀孕',
			'懷孕',
			'抑郁',
			'憂鬱',
			'癌症',
			'糖尿病',
			'流血',
			'急诊',
			'急診',
			'胸痛',
			'过敏',
			'過敏',
			'薬',
			'妊娠'
		],
		...['دواء', 'ادوية', 'جرعة', 'صداع', 'حمى', 'حامل', 'اكتئاب', 'سرطان', 'السكري', 'نزيف', 'الم في', 'مرض', 'اعراض'],
		...[
			'دارو',
			'قرص',
			'سردرد',
			'تب دارم',
			'درد دارم',
			'درد سینه',
			'باردار',
			'حامله',
			'افسرد',
			'دیابت',
			'خونریزی',
			'بیمارستان',
			'مریضم'
		],
		...[
			'лекарств',
			'таблетк',
			'дозировк',
			'болит',
			'беременн',
			'депресси',
			'диабет',
			'кровотеч',
			'инсульт',
			'инфаркт',
			'симптом',
			'температура у'
		],
		...['ဆေးသောက်', 'ဖျားနေ', 'အဖျား', 'ခေါင်းကိုက်', 'ကိုယ်ဝန်', 'သွေးထွက်', 'ဆေးရုံ', 'दवा', 'बुखार', 'सिरदर्द', 'गर्भवती']
	]
};

/** Whole messages, in other scripts, that are a call for help and nothing else. */
export const BARE_CALLS: ReadonlySet<string> = new Set([
	'کمک',
	'کمک کمک',
	'مساعدة',
	'مساعده',
	'помощь',
	'помощи',
	'ayuda',
	'yardim',
	'hilfe',
	'帮助',
	'幫助',
	'救救',
	'अपातकाल',
	'ကူညီ'
]);
